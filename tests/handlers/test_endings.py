"""A deal that ends in Partner Center while a seller's edits wait for their turn: settled in one pass, and told once."""

from __future__ import annotations

import pytest

from shared.handlers import dynamics_365_to_partner_center as flow_5
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.messages import Queue
from tests.bad_input.pair import Bench, bench
from tests.contract.deals import deal
from tests.handlers.test_meanwhile import NEW_VALUE, edit, hint, once, row

TO_CRM, TO_PC = Queue.PARTNER_CENTER_EVENTS, Queue.DYNAMICS_365_TO_PARTNER_CENTER


def waiting_edit(made: Bench) -> tuple[str, str]:
    """A deal from Microsoft that a seller changed before answering: ids of opportunity and referral."""
    referral = made.partner_center.invite(deal(externalReferenceId=None))
    made.deliver(TO_CRM, hint("referral", referral.id, "referral-created"), flow_4.handle)
    (row_id,) = made.dataverse.rows.all("opportunity")
    edit(made, row_id)
    made.deliver(TO_PC, hint("opportunity", row_id), flow_5.handle)
    return row_id, referral.id


def decline(made: Bench, row_id: str) -> None:
    made.dataverse.as_user().close_opportunity(row_id, won=False, status=4, activity={"subject": "Lost"})


@pytest.mark.parametrize("closed_here_too", [False, True])
def test_edits_that_waited_for_an_answer_are_settled_with_the_ending(closed_here_too: bool) -> None:
    made = bench()
    row_id, referral_id = waiting_edit(made)
    if closed_here_too:
        decline(made, row_id)
    made.partner_center.expire(referral_id)
    made.deliver(TO_CRM, hint("referral", referral_id, "referral-updated"), flow_4.handle)
    ended = dict(row(made, row_id))
    assert ended["statecode"] == 2
    assert ended["estimatedvalue"] == NEW_VALUE
    assert str(ended["name"]).startswith("✖")
    assert ended["cosell_syncstatus"] == made.connections.terms.mapping.option("sync_status", "closed")
    assert str(ended["cosell_audit"]).count("CRM>PC | UPDATE | FAILED | DEAL_TERMINAL") == 1
    for _ in range(2):
        made.deliver(TO_PC, hint("opportunity", row_id, "sweep"), flow_5.handle)
        made.deliver(TO_CRM, hint("referral", referral_id, "sweep"), flow_4.handle)
    assert row(made, row_id) == ended


def test_an_ending_on_both_sides_that_flow_5_meets_first_is_written_down_by_flow_4() -> None:
    made = bench()
    row_id, referral_id = waiting_edit(made)
    decline(made, row_id)
    made.partner_center.expire(referral_id)
    made.deliver(TO_PC, hint("opportunity", row_id), flow_5.handle)
    (inward,) = made.queues.hints(TO_CRM)
    made.deliver(TO_CRM, inward, flow_4.handle)
    assert row(made, row_id)["cosell_referralstatus"] == "Closed/Expired"


def test_an_ending_with_nothing_waiting_is_no_failure() -> None:
    made = bench()
    referral = made.partner_center.invite(deal(externalReferenceId=None))
    made.deliver(TO_CRM, hint("referral", referral.id, "referral-created"), flow_4.handle)
    (row_id,) = made.dataverse.rows.all("opportunity")
    made.partner_center.expire(referral.id)
    made.deliver(TO_CRM, hint("referral", referral.id, "referral-updated"), flow_4.handle)
    assert str(row(made, row_id)["name"]).startswith("✔")
    assert "DEAL_TERMINAL" not in row(made, row_id)["cosell_audit"]


def test_the_closing_is_told_by_who_closed_although_another_run_saw_the_closed_row_first() -> None:
    made = bench()
    referral = made.partner_center.invite(deal(externalReferenceId=None))
    made.deliver(TO_CRM, hint("referral", referral.id, "referral-created"), flow_4.handle)
    (row_id,) = made.dataverse.rows.all("opportunity")
    made.partner_center.expire(referral.id)

    def other_run() -> object:
        return flow_4.handle(hint("referral", referral.id, "merge"), made.connections)

    def closed() -> None:
        made.dataverse.before_call = once("dataverse.update", other_run)

    made.dataverse.after_call = once("dataverse.close_opportunity", closed)
    made.deliver(TO_CRM, hint("referral", referral.id, "referral-updated"), flow_4.handle)
    ended = row(made, row_id)
    assert str(ended["cosell_audit"]).count("| CLOSE | OK | Expired in Partner Center") == 1
    assert str(ended["name"]).startswith("✔")
