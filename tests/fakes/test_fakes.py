"""What simulations build on and no contract covers: hooks around effects, listeners, the host's side of the queues."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import NotFound, Unavailable
from shared.messages import Hint, Queue
from shared.ports import PatchOperation
from tests.contract.deals import deal, invitation
from tests.fakes.clock import START, VirtualClock
from tests.fakes.dataverse import APP_USER, SELLER, FakeDataverse
from tests.fakes.dataverse_rows import Change
from tests.fakes.partner_center import FakePartnerCenter
from tests.fakes.service_bus import FakeQueues

DOWN = Unavailable("TEST", "Down.")


def fail(call: str) -> None:
    raise DOWN


def nothing(call: str) -> None:
    """No fault."""


def test_a_failure_before_the_effect_applies_nothing_and_one_after_it_everything() -> None:
    crm = FakeDataverse(VirtualClock())
    row_id = str(uuid.uuid4())
    crm.before_call = fail
    with pytest.raises(Unavailable):
        crm.create("account", {"name": "x"}, row_id)
    crm.before_call = nothing
    with pytest.raises(NotFound):
        crm.get("account", row_id, ["name"])
    crm.after_call = fail
    with pytest.raises(Unavailable):
        crm.create("account", {"name": "x"}, row_id)
    crm.after_call = nothing
    assert crm.get("account", row_id, ["name"]).values == {"name": "x"}
    assert crm.counts == {"dataverse.create": 2, "dataverse.get": 2}


def test_an_error_of_the_port_itself_has_no_answer_to_lose() -> None:
    seen: list[str] = []
    crm = FakeDataverse(VirtualClock())
    crm.after_call = seen.append
    with pytest.raises(NotFound):
        crm.delete("account", str(uuid.uuid4()))
    assert seen == []


def test_every_write_is_told_with_its_writer_and_what_was_before() -> None:
    clock = VirtualClock()
    crm = FakeDataverse(clock)
    changes: list[Change] = []
    crm.rows.on_change.append(changes.append)
    row_id = crm.create("opportunity", {"name": "a"})
    clock.advance(5)
    crm.as_user(SELLER).update("opportunity", row_id, {"name": "b"}, None)
    crm.close_opportunity(row_id, won=True, status=3, activity={"subject": "Won"})
    crm.delete("opportunity", row_id)
    told = [(change.message, change.table, change.user_id) for change in changes]
    assert told == [
        ("Create", "opportunity", APP_USER),
        ("Update", "opportunity", SELLER),
        ("Create", "opportunityclose", APP_USER),
        ("Update", "opportunity", APP_USER),
        ("Delete", "opportunityclose", APP_USER),
        ("Delete", "opportunity", APP_USER),
    ]
    assert changes[1].columns == {"name"}
    assert changes[1].before["name"] == "a"
    assert changes[1].at == START + timedelta(seconds=5)
    assert changes[3].columns == {"statecode", "statuscode"}


def test_a_person_does_not_meet_the_tests_faults() -> None:
    crm = FakeDataverse(VirtualClock())
    seller = crm.as_user(SELLER)
    crm.before_call = fail
    assert seller.create("account", {"name": "x"})


def test_partner_center_tells_its_events() -> None:
    events: list[tuple[str, str]] = []
    service = FakePartnerCenter(VirtualClock())
    service.on_event.append(lambda name, referral_id, at: events.append((name, referral_id)))
    own = service.create(deal())
    theirs = service.create(invitation(own.engagement_id))
    service.patch(own.id, [PatchOperation("replace", "/salesStage", "40")], None)
    service.microsoft(own.engagement_id or "", "Accepted", msx_id="7-X")
    inbound = service.invite(deal(externalReferenceId=None))
    service.expire(inbound.id)
    assert events == [
        ("referral-created", own.id),
        ("related-referral-created", theirs.id),
        ("referral-updated", own.id),
        ("referral-updated", own.id),
        ("related-referral-updated", theirs.id),
        ("referral-created", inbound.id),
        ("referral-updated", inbound.id),
    ]


@pytest.mark.parametrize("propagates", [True, False])
def test_shared_terms_move_to_the_other_party_if_the_service_does_so(propagates: bool) -> None:
    service = FakePartnerCenter(VirtualClock(), propagates=propagates)
    own = service.create(deal())
    theirs = service.create(invitation(own.engagement_id))
    service.edit_in_portal(own.id, details__notes="agreed", name="Renamed")
    seen = service.get(theirs.id)
    assert (seen.details.notes == "agreed") is propagates
    assert seen.name == own.name, "the name is each party's own"


def hint(**changes: Any) -> Hint:
    return Hint.model_validate({"subject": "referral", "id": uuid.uuid4(), "reason": "sweep", **changes})


def test_a_message_comes_back_until_it_is_dead() -> None:
    queues = FakeQueues(VirtualClock(), max_deliveries=3)
    queues.send(Queue.PARTNER_CENTER_EVENTS, hint())
    for deliveries in (1, 2, 3):
        message = queues.receive(Queue.PARTNER_CENTER_EVENTS)
        assert message is not None
        assert message.deliveries == deliveries
        queues.abandon(message)
    assert queues.receive(Queue.PARTNER_CENTER_EVENTS) is None
    assert len(queues.dead) == 1


def test_delayed_messages_are_due_in_their_order() -> None:
    clock = VirtualClock()
    queues = FakeQueues(clock)
    late, soon = hint(), hint()
    queues.send(Queue.PARTNER_CENTER_EVENTS, late, delay_s=60)
    queues.send(Queue.MICROSOFT_REFERRAL_UPDATES, soon, delay_s=30)
    assert queues.next_due_at() == START + timedelta(seconds=30)
    assert queues.receive(Queue.MICROSOFT_REFERRAL_UPDATES) is None
    clock.advance(30)
    message = queues.receive(Queue.MICROSOFT_REFERRAL_UPDATES)
    assert message is not None
    assert Hint.model_validate_json(message.body) == soon
    assert queues.hints(Queue.PARTNER_CENTER_EVENTS) == [late]
    assert queues.next_due_at() == START + timedelta(seconds=60)


def test_a_duplicate_is_remembered_for_ten_minutes() -> None:
    clock = VirtualClock()
    queues = FakeQueues(clock)
    sent = hint()
    for _ in range(3):
        queues.send(Queue.PARTNER_CENTER_EVENTS, sent)
    assert (len(queues.bodies(Queue.PARTNER_CENTER_EVENTS)), queues.duplicates) == (1, 2)
    clock.advance(601)
    queues.send(Queue.PARTNER_CENTER_EVENTS, sent)
    assert len(queues.bodies(Queue.PARTNER_CENTER_EVENTS)) == 2


def test_what_others_send_is_never_a_duplicate() -> None:
    queues = FakeQueues(VirtualClock())
    for _ in range(2):
        queues.put(Queue.DYNAMICS_365_OPPORTUNITIES, "{}")
    assert queues.bodies(Queue.DYNAMICS_365_OPPORTUNITIES) == ["{}", "{}"]
