"""A creation that was cut short: whether the referral it finds is its own, and what is then the base of the pair."""

from __future__ import annotations

import pytest

from shared.domain.state import COLUMN, SyncState, parse
from shared.errors import DataProblem, SyncError, Unavailable
from shared.handlers import create_cosell_referral_dynamics_365_to_partner_center as flow_2
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.messages import Queue
from tests.bad_input.pair import Bench, bench
from tests.contract.deals import deal
from tests.handlers.test_meanwhile import NEW_VALUE, Died, hint, once, opportunity, row


@pytest.mark.parametrize("minutes", [1, 30])
def test_a_referral_that_a_colleague_made_after_a_creation_was_cut_short_is_not_taken_for_ours(minutes: int) -> None:
    """What the interrupted run was about to send says nothing of a deal that somebody else entered."""
    made = bench()
    row_id = opportunity(made)
    made.dataverse.as_user().update("opportunity", row_id, {"description": "the seller's words"}, None)

    def dies() -> None:
        raise Died

    made.partner_center.before_call = once("partner_center.create", dies)
    with pytest.raises(Died):
        flow_2.handle(hint("opportunity", row_id), made.connections)
    made.clock.advance(minutes * 60)
    details = {**deal()["details"], "notes": "the colleague's words"}
    referral = made.partner_center.create(deal(externalReferenceId=row_id, details=details))
    made.clock.advance(made.connections.create_lease_s)
    made.deliver(Queue.CREATE_COSELL_REFERRAL, hint("opportunity", row_id), flow_2.handle)
    made.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral.id, "referral-updated"), flow_4.handle)
    description = row(made, row_id)["description"]
    assert "the colleague's words" in description
    assert "the seller's words" in description


def test_a_referral_of_ours_that_was_found_late_and_twice_is_still_ours() -> None:
    """What the first run sent is the base, so what somebody changed in Partner Center since then is brought over."""
    made = bench()
    row_id = opportunity(made)

    def dies() -> None:
        raise Died

    made.partner_center.after_call = once("partner_center.create", dies)
    with pytest.raises(Died):
        flow_2.handle(hint("opportunity", row_id), made.connections)
    made.partner_center.after_call = lambda _: None
    (referral,) = made.partner_center.documents
    made.partner_center.edit_in_portal(referral, details__dealValue=NEW_VALUE)
    made.clock.advance(20 * 60)
    made.dataverse.after_call = once("dataverse.update", dies)
    with pytest.raises(Died):  # reserved again, and cut short again
        flow_2.handle(hint("opportunity", row_id), made.connections)
    made.clock.advance(20 * 60)
    made.deliver(Queue.CREATE_COSELL_REFERRAL, hint("opportunity", row_id), flow_2.handle)
    made.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral, "referral-updated"), flow_4.handle)
    assert row(made, row_id)["estimatedvalue"] == NEW_VALUE


@pytest.mark.parametrize("error", [Unavailable, DataProblem])
def test_a_referral_of_ours_that_could_not_be_linked_at_once_is_still_ours(error: type[SyncError]) -> None:
    """The CRM was down for the link, or refused it; what somebody changed in Partner Center since then comes over."""
    made = bench()
    row_id = opportunity(made)

    def down() -> None:
        raise error("DV_FAILED", "Dynamics 365 failed.")

    def created() -> None:
        made.dataverse.before_call = once("dataverse.update", down)

    made.partner_center.after_call = once("partner_center.create", created)
    made.deliver(Queue.CREATE_COSELL_REFERRAL, hint("opportunity", row_id), flow_2.handle)
    (referral,) = made.partner_center.documents
    made.partner_center.edit_in_portal(referral, details__dealValue=NEW_VALUE)
    made.clock.advance(30)
    made.deliver(Queue.CREATE_COSELL_REFERRAL, hint("opportunity", row_id), flow_2.handle)
    made.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral, "referral-updated"), flow_4.handle)
    assert row(made, row_id)["estimatedvalue"] == NEW_VALUE


def test_what_was_never_sent_is_no_base_of_a_deal_that_is_linked_later() -> None:
    made = bench()
    row_id = opportunity(made)

    def down() -> None:
        raise Unavailable("PC_UNAVAILABLE", "Partner Center failed.")

    made.partner_center.before_call = once("partner_center.create", down)
    made.deliver(Queue.CREATE_COSELL_REFERRAL, hint("opportunity", row_id), flow_2.handle)
    assert parse(row(made, row_id)[COLUMN]) == SyncState()
    referral = made.partner_center.create(deal(externalReferenceId=row_id))
    made.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral.id, "referral-created"), flow_4.handle)
    assert parse(row(made, row_id)[COLUMN]).sent == {}


def cut_short_and_given_up(made: Bench, call: str) -> str:
    """A creation that died around its POST; then the seller closed the opportunity, which cannot be shared any more."""
    row_id = opportunity(made)

    def dies() -> None:
        raise Died

    hooks = {"before": "before_call", "after": "after_call"}
    setattr(made.partner_center, hooks[call], once("partner_center.create", dies))
    with pytest.raises(Died):
        flow_2.handle(hint("opportunity", row_id), made.connections)
    setattr(made.partner_center, hooks[call], lambda _: None)
    made.clock.advance(made.connections.create_lease_s + 1)
    made.dataverse.as_user().close_opportunity(row_id, won=False, status=4, activity={"subject": "Lost"})
    made.deliver(Queue.CREATE_COSELL_REFERRAL, hint("opportunity", row_id), flow_2.handle)
    assert "OPPORTUNITY_CLOSED" in row(made, row_id)["cosell_audit"]
    return row_id


def test_a_referral_of_ours_that_turns_up_after_its_creation_was_given_up_is_still_ours() -> None:
    made = bench()
    row_id = cut_short_and_given_up(made, "after")
    (referral,) = made.partner_center.documents
    made.partner_center.edit_in_portal(referral, details__dealValue=NEW_VALUE)
    made.clock.advance(60)
    made.dataverse.as_user().update("opportunity", row_id, {"statecode": 0, "statuscode": 1}, None)
    made.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral, "referral-updated"), flow_4.handle)
    assert row(made, row_id)["estimatedvalue"] == NEW_VALUE
    assert parse(row(made, row_id)[COLUMN]).attempt is None


def test_a_colleagues_that_turns_up_instead_is_not() -> None:
    made = bench()
    row_id = cut_short_and_given_up(made, "before")
    details = {**deal()["details"], "notes": "the colleague's words"}
    referral = made.partner_center.create(deal(externalReferenceId=row_id, details=details))
    made.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral.id, "referral-created"), flow_4.handle)
    state = parse(row(made, row_id)[COLUMN])
    assert (state.sent, state.attempt) == ({}, None)
