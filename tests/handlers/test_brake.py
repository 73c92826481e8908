"""The brake (P16): more closings an hour than the setting allows wait for an operator, in that direction alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import Unavailable
from shared.handlers import brake
from shared.handlers.brake import HELD_BACK, Direction, State
from shared.messages import Hint
from shared.row_event import RowEvent
from tests.bad_input.pair import bench
from tests.fakes.dataverse import SELLER
from tests.handlers.brakes import CLOSED, LOST, MOST, OPEN, PENDING, Brakes
from tests.handlers.test_attention import Told


@pytest.fixture
def brakes() -> Brakes:
    made, told = bench(TERMINAL_GRACE_MINUTES=0), Told()
    connections = replace(made.connections, notifications=told, brake_closings_per_hour=MOST, decline_deleted=True)
    return Brakes(replace(made, connections=connections), told)


def test_one_closing_too_many_waits_and_the_others_went(brakes: Brakes, caplog: pytest.LogCaptureFixture) -> None:
    deals = [brakes.accepted() for _ in range(4)]
    assert [brakes.win_and_look(one) for one in deals] == ["updated", "updated", HELD_BACK, HELD_BACK]
    assert [brakes.referral(one).status for one in deals] == ["Closed", "Closed", "Active", "Active"]
    assert [one.row.text("cosell_name") for one in brakes.held()] == deals[2:]
    assert brakes.alerts() == 1
    assert caplog.text.count("ALERT BRAKE_CLOSINGS") == 1


def test_a_held_deal_is_pending_and_its_seller_reads_why_once(brakes: Brakes) -> None:
    deals = [brakes.accepted() for _ in range(3)]
    for one in deals:
        brakes.win_and_look(one)
    for _ in range(3):
        assert brakes.flow_5(deals[2]) == HELD_BACK
    row = brakes.row(deals[2])[1]
    assert row["cosell_syncstatus"] == PENDING
    assert str(row["name"]).startswith("✔")
    assert str(row["cosell_audit"]).count("BRAKE_CLOSINGS") == 1
    assert len(brakes.held()) == 1
    version = row["cosell_syncstate"], row["modifiedon"]
    brakes.pair.clock.advance(900)
    assert brakes.flow_5(deals[2]) == HELD_BACK
    assert brakes.flow_4(deals[2]) == "no difference"
    row = brakes.row(deals[2])[1]
    assert (row["cosell_syncstate"], row["modifiedon"]) == version


def test_only_closings_of_that_direction_are_held(brakes: Brakes) -> None:
    deals = [brakes.accepted() for _ in range(5)]
    for one in deals[:3]:
        brakes.win_and_look(one)
    brakes.edit(deals[3], description="An open deal's edit.")
    assert brakes.flow_5(deals[3]) == "updated"
    assert brakes.referral(deals[3]).details.notes == "An open deal's edit."
    brakes.edit(deals[2], description="The held deal's own edit.")
    assert brakes.flow_5(deals[2]) == HELD_BACK
    assert brakes.referral(deals[2]).details.notes == "The held deal's own edit."
    assert brakes.row(deals[2])[1]["cosell_syncstatus"] == PENDING
    assert brakes.lose_in_portal(deals[4]) == "closed"


def test_closings_from_partner_center_are_held_too(brakes: Brakes) -> None:
    deals = [brakes.accepted() for _ in range(3)]
    assert [brakes.lose_in_portal(one) for one in deals] == ["closed", "closed", HELD_BACK]
    row = brakes.row(deals[2])[1]
    assert row["statecode"] == OPEN
    assert row["cosell_syncstatus"] == PENDING
    assert str(row["cosell_audit"]).count("BRAKE_CLOSINGS") == 1
    before = brakes.row(deals[2])[1]
    brakes.pair.clock.advance(900)
    assert brakes.flow_4(deals[2]) == HELD_BACK
    assert brakes.flow_5(deals[2]) == "closed in Partner Center"
    assert brakes.row(deals[2])[1] == before
    brakes.decide(State.APPROVED)
    row = brakes.row(deals[2])[1]
    assert (row["statecode"], row["cosell_syncstatus"]) == (LOST, CLOSED)
    assert brakes.flow_4(deals[2]) == "no difference"
    assert brakes.held() == []


def test_what_is_approved_goes_and_the_direction_is_free_again(brakes: Brakes) -> None:
    deals = [brakes.accepted() for _ in range(7)]
    for one in deals[:4]:
        brakes.win_and_look(one)
    brakes.decide(State.APPROVED, brakes.held()[:1])
    assert brakes.referral(deals[2]).substatus == "Won"
    assert brakes.win_and_look(deals[4]) == HELD_BACK  # one is still held: the pause goes on
    brakes.decide(State.APPROVED)
    assert [brakes.referral(one).substatus for one in deals[3:5]] == ["Won", "Won"]
    assert brakes.row(deals[3])[1]["cosell_syncstatus"] == CLOSED
    assert brakes.alerts() == 1
    # Counting begins anew: two more may pass within the same hour.
    assert [brakes.win_and_look(one) for one in deals[5:]] == ["updated", "updated"]
    assert brakes.win_and_look(brakes.accepted()) == HELD_BACK
    assert brakes.alerts() == 2


def test_what_is_discarded_stays_open_on_the_other_side(brakes: Brakes) -> None:
    deals = [brakes.accepted() for _ in range(4)]
    for one in deals[:3]:
        brakes.win_and_look(one)
    brakes.decide(State.LEFT_OPEN)
    assert brakes.flow_5(deals[2]) == HELD_BACK
    assert brakes.referral(deals[2]).status == "Active"
    assert brakes.held() == []
    assert brakes.win_and_look(deals[3]) == "updated"


def test_a_deal_reopened_meanwhile_is_not_closed_by_an_approval(brakes: Brakes) -> None:
    deals = [brakes.accepted() for _ in range(3)]
    for one in deals:
        brakes.win_and_look(one)
    brakes.edit(deals[2], statecode=OPEN, statuscode=1)
    brakes.decide(State.APPROVED)
    assert brakes.referral(deals[2]).status == "Active"
    assert '"held"' not in str(brakes.row(deals[2])[1]["cosell_syncstate"])


def test_a_second_ending_after_reopening_is_a_closing_of_its_own(brakes: Brakes) -> None:
    terms = replace(brakes.pair.connections.terms, terminal_grace_s=60)
    brakes = replace(brakes, pair=replace(brakes.pair, connections=replace(brakes.pair.connections, terms=terms)))
    deals = [brakes.accepted() for _ in range(3)]
    for one in deals:
        assert brakes.win_and_look(one) == "waiting"
    brakes.pair.clock.advance(61)
    for one in deals:
        brakes.flow_5(one)
    brakes.decide(State.LEFT_OPEN)
    brakes.edit(deals[2], statecode=OPEN, statuscode=1)
    brakes.flow_5(deals[2])
    brakes.win_and_look(deals[2])
    brakes.pair.clock.advance(61)
    assert brakes.flow_5(deals[2]) == "updated"
    assert brakes.referral(deals[2]).substatus == "Won"


def test_the_hour_moves_on(brakes: Brakes) -> None:
    for _ in range(3):
        for _ in range(MOST):
            assert brakes.win_and_look(brakes.accepted()) == "updated"
        brakes.pair.clock.advance(timedelta(hours=1, seconds=1).total_seconds())
    assert brakes.held() == []


def test_a_closing_that_failed_is_counted_once(brakes: Brakes) -> None:
    deals = [brakes.accepted() for _ in range(2)]

    def down(call: str) -> None:
        if call == "partner_center.patch":
            raise Unavailable("PC_DOWN", "Partner Center is down.")

    brakes.pair.partner_center.before_call = down
    brakes.win(deals[0])
    for _ in range(5):
        with pytest.raises(Unavailable):
            brakes.flow_5(deals[0])
    brakes.pair.partner_center.before_call = lambda call: None
    assert brakes.flow_5(deals[0]) == "updated"
    assert brakes.win_and_look(deals[1]) == "updated"


def test_a_closing_whose_process_died_before_counting_is_counted_when_it_comes_again(brakes: Brakes) -> None:
    deals = [brakes.accepted() for _ in range(3)]
    for one in deals[:2]:
        brakes.win_and_look(one)

    def die(call: str) -> None:
        if call == "dataverse.find" and len(brakes.pair.dataverse.rows.all(brake.TABLE)) == 3:
            raise Unavailable("DV_DOWN", "The process dies here.")

    brakes.pair.dataverse.before_call = die
    with pytest.raises(Unavailable):
        brakes.win_and_look(deals[2])
    brakes.pair.dataverse.before_call = lambda call: None
    assert brakes.flow_5(deals[2]) == HELD_BACK
    assert brakes.referral(deals[2]).status == "Active"


def deleted(brakes: Brakes) -> str:
    """A seller deletes the opportunity of an accepted deal; its referral id."""
    one = brakes.accepted()
    row_id = brakes.row(one)[0]
    brakes.pair.dataverse.as_user(SELLER).delete("opportunity", row_id)
    brakes.flow_6(
        RowEvent(
            message="Delete", table="opportunity", row_id=uuid.UUID(row_id), user_id=SELLER,
            operation_id="1", organization_id="", before={"cosell_referralidentifier": one},
        )
    )  # fmt: skip
    return one


def declined(brakes: Brakes) -> str:
    """A seller disqualifies a lead; its referral id."""
    one = brakes.lead()
    row_id = brakes.row(one, "lead")[0]
    values = {"statecode": 2, "statuscode": 7}
    brakes.pair.dataverse.as_user(SELLER).update("lead", row_id, values, None)
    brakes.flow_6(
        RowEvent(
            message="Update", table="lead", row_id=uuid.UUID(row_id), user_id=SELLER, operation_id="1",
            organization_id="", target={"statecode": 2}, before={"cosell_referralidentifier": one},
        )
    )  # fmt: skip
    return one


@pytest.mark.parametrize("close", [deleted, declined])
def test_deleting_and_declining_count_as_closing(brakes: Brakes, close: Callable[[Brakes], str]) -> None:
    closed = [close(brakes) for _ in range(3)]
    assert [brakes.referral(one).status == "Closed" for one in closed] == [True, True, False]
    brakes.decide(State.APPROVED)
    assert brakes.referral(closed[2]).status == "Closed"


def test_leads_closed_in_partner_center_are_held_too(brakes: Brakes) -> None:
    leads = [brakes.lead() for _ in range(3)]
    assert [brakes.lose_in_portal(one) for one in leads] == ["lead disqualified", "lead disqualified", HELD_BACK]
    assert brakes.row(leads[2], "lead")[1]["statecode"] == OPEN
    brakes.decide(State.APPROVED)
    assert brakes.row(leads[2], "lead")[1]["statecode"] == LOST


def test_a_dry_run_counts_nothing(brakes: Brakes) -> None:
    dry = replace(brakes.pair.connections, dry_run=True)
    closing = brake.from_hint(
        Hint(subject="referral", id=uuid.uuid4(), reason="test"), Direction.DYNAMICS_365, str(uuid.uuid4())
    )
    assert brake.admits(dry, closing)
    assert brakes.pair.dataverse.rows.all(brake.TABLE) == {}


def test_instances_side_by_side_let_no_closing_too_many_pass(brakes: Brakes) -> None:
    """Each has written its closing down before any has counted."""
    waiting: list[Callable[[], bool]] = []
    hint = Hint(subject="opportunity", id=uuid.uuid4(), reason="test")
    for _ in range(MOST + 1):
        closing = brake.from_hint(hint, Direction.PARTNER_CENTER, str(uuid.uuid4()))
        waiting.append(lambda closing=closing: brake.admits(brakes.pair.connections, closing))  # type: ignore[misc]
    passed: list[bool] = []

    def others(call: str) -> None:
        if call == "dataverse.find" and brakes.pair.dataverse.rows.all(brake.TABLE) and waiting:
            passed.append(waiting.pop()())

    brakes.pair.dataverse.before_call = others
    passed.append(waiting.pop()())
    assert len(passed) == MOST + 1
    assert sum(passed) <= MOST
    assert brakes.alerts() == 1
