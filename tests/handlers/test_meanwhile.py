"""What changes on either side while a deal is being created: its own event may end too early, so we must look again.

Found by `tests/chaos` without a sweep, which would have healed each of them a quarter of an hour later.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.opportunity import SOLUTION_TABLE
from shared.handlers import create_cosell_referral_dynamics_365_to_partner_center as flow_2
from shared.handlers import dynamics_365_to_partner_center as flow_5
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.messages import Hint, Queue
from shared.ports import Lookup
from tests.bad_input.pair import Bench, bench
from tests.contract.deals import deal

VALUE, NEW_VALUE = Decimal("50000.00"), Decimal("61000.00")


class Died(BaseException):
    """The process ended here."""


def opportunity(made: Bench, *, solutions: int = 1) -> str:
    """A seller's complete private deal."""
    crm = made.dataverse.as_user()
    address = {"address1_line1": "Havnegata 12", "address1_city": "Bergen", "address1_country": "NO"}
    account = Lookup("account", crm.create("account", {"name": "Northgate Foods AS", **address}))
    values = {
        "name": "Cold-chain analytics",
        "estimatedvalue": VALUE,
        "estimatedclosedate": date(2027, 6, 30),
        "parentaccountid": account,
        "cosell_syncwithpartnercenter": True,
    }
    row_id = crm.create("opportunity", values)
    for number in range(solutions):
        parent = Lookup("opportunity", row_id)
        crm.create(SOLUTION_TABLE, {"cosell_solutionid": f"SOL-7041{number}-KQX", "cosell_opportunityid": parent})
    return row_id


def hint(subject: str, row_id: str, reason: str = "crm-change") -> Hint:
    return Hint(subject=subject, id=uuid.UUID(row_id), reason=reason, version="1")


def once(call: str, act: Callable[[], object]) -> Callable[[str], None]:
    """A hook that acts at the first of these calls."""
    left = [act]

    def hook(name: str) -> None:
        if name == call and left:
            left.pop()()

    return hook


def row(made: Bench, row_id: str) -> dict[str, Any]:
    found = made.dataverse.rows.get("opportunity", row_id)
    assert found is not None
    return found


def edit(made: Bench, row_id: str) -> None:
    made.dataverse.as_user().update("opportunity", row_id, {"estimatedvalue": NEW_VALUE}, None)


def win(made: Bench, row_id: str) -> None:
    made.dataverse.as_user().close_opportunity(row_id, won=True, status=3, activity={"subject": "Won"})


def ask_for_help(made: Bench, row_id: str) -> None:
    made.dataverse.as_user().update("opportunity", row_id, {"cosell_howcanmicrosofthelp": 100000003}, None)


@pytest.mark.parametrize("change", [edit, win, ask_for_help])
def test_what_a_seller_does_while_the_referral_is_made_is_looked_at_afterwards(
    change: Callable[[Bench, str], None],
) -> None:
    made = bench()
    row_id = opportunity(made)
    made.partner_center.after_call = once("partner_center.create", lambda: change(made, row_id))
    made.deliver(Queue.CREATE_COSELL_REFERRAL, hint("opportunity", row_id), flow_2.handle)
    assert [left.reason for left in made.queues.hints(Queue.DYNAMICS_365_TO_PARTNER_CENTER)] == ["edited"]


def test_a_creation_that_nobody_interferes_with_costs_no_second_look() -> None:
    made = bench()
    row_id = opportunity(made)
    made.deliver(Queue.CREATE_COSELL_REFERRAL, hint("opportunity", row_id), flow_2.handle)
    assert row(made, row_id)["cosell_referralidentifier"]
    assert made.queues.hints(Queue.DYNAMICS_365_TO_PARTNER_CENTER) == []


def test_a_message_that_takes_up_a_creation_comes_again_for_its_own_change() -> None:
    made = bench()
    row_id = opportunity(made)

    def die_after_linking() -> None:
        made.dataverse.after_call = once("dataverse.update", dies)

    def dies() -> None:
        raise Died

    made.partner_center.after_call = once("partner_center.create", die_after_linking)
    with pytest.raises(Died):
        flow_2.handle(hint("opportunity", row_id), made.connections)
    made.clock.advance(made.connections.create_lease_s + 1)
    edit(made, row_id)
    made.deliver(Queue.DYNAMICS_365_TO_PARTNER_CENTER, hint("opportunity", row_id), flow_5.handle)
    assert len(made.queues.hints(Queue.CREATE_COSELL_REFERRAL)) == 1
    assert len(made.queues.bodies(Queue.DYNAMICS_365_TO_PARTNER_CENTER)) == 1


def test_a_message_that_meets_an_opportunity_never_completed_has_it_completed() -> None:
    made = bench()
    referral = made.partner_center.invite(deal(externalReferenceId=None))

    def dies() -> None:
        raise Died

    made.partner_center.before_call = once("partner_center.patch", dies)
    with pytest.raises(Died):
        flow_4.handle(hint("referral", referral.id, "referral-created"), made.connections)
    (row_id,) = made.dataverse.rows.all("opportunity")
    made.deliver(Queue.DYNAMICS_365_TO_PARTNER_CENTER, hint("opportunity", row_id), flow_5.handle)
    (inward,) = made.queues.hints(Queue.PARTNER_CENTER_EVENTS)
    made.deliver(Queue.PARTNER_CENTER_EVENTS, inward, flow_4.handle)
    assert '"linking"' not in row(made, row_id)["cosell_syncstate"]


def test_a_look_at_a_deal_still_being_entered_that_comes_too_early_is_repeated() -> None:
    made = bench()
    row_id = opportunity(made, solutions=0)
    made.deliver(Queue.CREATE_COSELL_REFERRAL, hint("opportunity", row_id), flow_2.handle)
    (early,) = made.queues.hints(Queue.CREATE_COSELL_REFERRAL)
    made.deliver(Queue.CREATE_COSELL_REFERRAL, early, flow_2.handle)
    assert len(made.queues.hints(Queue.CREATE_COSELL_REFERRAL)) == 2


def test_a_deal_shown_to_microsoft_after_its_referral_was_made_is_shown_there_too() -> None:
    made = bench()
    row_id = opportunity(made)
    consent = {**deal()["consent"], "consentToShareReferralWithMicrosoftSellers": False}
    referral = made.partner_center.create(deal(externalReferenceId=row_id, consent=consent))
    made.dataverse.as_user().update("opportunity", row_id, {"cosell_referralvisibility": 100000001}, None)
    made.deliver(Queue.CREATE_COSELL_REFERRAL, hint("opportunity", row_id), flow_2.handle)
    (edited,) = made.queues.hints(Queue.DYNAMICS_365_TO_PARTNER_CENTER)
    made.deliver(Queue.DYNAMICS_365_TO_PARTNER_CENTER, edited, flow_5.handle)
    assert made.partner_center.get(referral.id).consent.consent_to_share_referral_with_microsoft_sellers is True


def test_a_referral_that_ended_before_it_was_found_ends_the_opportunity() -> None:
    made = bench()
    row_id = opportunity(made)
    referral = made.partner_center.create(deal(externalReferenceId=row_id))
    made.partner_center.edit_in_portal(referral.id, status="Closed", substatus="Won")
    made.deliver(Queue.CREATE_COSELL_REFERRAL, hint("opportunity", row_id), flow_2.handle)
    assert row(made, row_id)["cosell_referralidentifier"] == referral.id
    made.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral.id, "referral-updated"), flow_4.handle)
    assert row(made, row_id)["statecode"] == 1


@pytest.mark.parametrize(
    ("change", "column", "value"),
    [
        ({"details__dealValue": NEW_VALUE}, "estimatedvalue", NEW_VALUE),
        ({"status": "Closed", "substatus": "Declined"}, "statecode", 2),
    ],
    ids=["value", "ending"],
)
def test_what_changes_at_partner_center_while_the_opportunity_is_made_is_brought_over_too(
    change: dict[str, object], column: str, value: object
) -> None:
    made = bench()
    referral = made.partner_center.invite(deal(externalReferenceId=None))
    made.dataverse.after_call = once(
        "dataverse.create", lambda: made.partner_center.edit_in_portal(referral.id, **change)
    )
    made.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral.id, "referral-created"), flow_4.handle)
    (made_row,) = made.dataverse.rows.all("opportunity").values()
    assert made_row[column] == value


def test_what_was_kept_until_an_acceptance_is_sent_when_somebody_accepts_at_partner_center() -> None:
    made = bench()
    referral = made.partner_center.invite(deal(externalReferenceId=None))
    made.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral.id, "referral-created"), flow_4.handle)
    (row_id,) = made.dataverse.rows.all("opportunity")
    edit(made, row_id)
    made.partner_center.edit_in_portal(referral.id, status="Active", substatus="Accepted")
    made.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral.id, "referral-updated"), flow_4.handle)
    (outward,) = made.queues.hints(Queue.DYNAMICS_365_TO_PARTNER_CENTER)
    made.deliver(Queue.DYNAMICS_365_TO_PARTNER_CENTER, outward, flow_5.handle)
    assert made.partner_center.get(referral.id).details.deal_value == NEW_VALUE


def test_a_deal_with_edits_that_await_its_acceptance_stays_pending_whatever_comes_from_partner_center() -> None:
    made = bench()
    referral = made.partner_center.invite(deal(externalReferenceId=None))
    made.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral.id, "referral-created"), flow_4.handle)
    (row_id,) = made.dataverse.rows.all("opportunity")
    edit(made, row_id)
    made.deliver(Queue.DYNAMICS_365_TO_PARTNER_CENTER, hint("opportunity", row_id), flow_5.handle)
    pending = row(made, row_id)["cosell_syncstatus"]
    made.partner_center.edit_in_portal(referral.id, details__notes="from the portal")
    made.deliver(Queue.PARTNER_CENTER_EVENTS, hint("referral", referral.id, "referral-updated"), flow_4.handle)
    assert row(made, row_id)["description"] == "from the portal"
    assert row(made, row_id)["cosell_syncstatus"] == pending
