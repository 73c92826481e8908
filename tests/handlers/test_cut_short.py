"""Flows that are cut short between two writes: what the next run must find, and what must not grow meanwhile."""

from __future__ import annotations

from datetime import timedelta

from tests.chaos import faults
from tests.chaos.faults import Call, Fault
from tests.chaos.scenarios import Cast
from tests.chaos.simulation import replay
from tests.chaos.world import World

_UPDATE = Call("dataverse", "update", conditional=True)


def _the_deal(world: World) -> dict[str, object]:
    (row,) = world.dataverse.rows.all("opportunity").values()
    return row


def test_a_creation_whose_link_was_written_but_not_confirmed_is_completed() -> None:
    world = World("cut short", quick_tries=1)
    lost: list[str] = []

    def lose_the_answer(call: str) -> None:
        if call == _UPDATE.name and _the_deal(world).get("cosell_referralidentifier") and not lost:
            lost.append(call)
            raise faults.error(Fault.LATE, _UPDATE)

    world.dataverse.after_call = lose_the_answer
    Cast(world).play_all(("private_deal", "rest"))
    assert lost
    deal = _the_deal(world)
    assert str(deal["name"]).startswith("✔")
    assert "referral created" in str(deal["cosell_audit"])
    assert deal["cosell_syncstatus"] == world.connections.terms.mapping.option("sync_status", "in_sync")
    assert len(world.center.documents) == 1


def test_an_ending_that_cannot_be_written_down_makes_no_more_messages_and_is_sent_in_the_end() -> None:
    world = World("cut short", quick_tries=1)
    cast = Cast(world)
    cast.play_all(("private_deal", "rest"))
    before = world.host.counts["deliveries"]
    cast.play_all(("win",))

    def fail(call: str) -> None:
        if call == _UPDATE.name:
            raise faults.error(Fault.FAILED, _UPDATE)

    world.dataverse.before_call = fail
    world.drain(100)
    assert world.host.counts["deliveries"] - before < 15, "one message on its ladder, and its forerunner"
    assert len(world.parked) == 1
    world.dataverse.before_call = lambda call: None
    started = world.clock()
    replay(world)
    world.drain()
    (document,) = world.center.documents.values()
    assert document["substatus"] == "Won"
    assert world.clock() - started >= timedelta(minutes=10), "the seller could still change their mind"
