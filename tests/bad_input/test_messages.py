"""Queue messages that nobody can read: set aside with code, sentence and remedy, the body as it came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared import messages, row_event
from shared.messages import Queue
from tests.bad_input.pair import bench

NO_HINT = ["not json", "", "null", "[]", "17", '{"subject": "referral"}', '{"subject": "referral", "id": "x"}']
NO_CHANGE = ["not json", "", "null", "[]", "{}", '{"MessageName": "Update", "PrimaryEntityName": "opportunity"}']
DEEP = "[" * 100_000


CASES = [
    *((Queue.PARTNER_CENTER_EVENTS, body) for body in (*NO_HINT, DEEP)),
    *((Queue.DYNAMICS_365_OPPORTUNITIES, body) for body in (*NO_CHANGE, DEEP)),
]
PARSERS: dict[Queue, Callable[[str], Any]] = {
    Queue.PARTNER_CENTER_EVENTS: messages.parse,
    Queue.DYNAMICS_365_OPPORTUNITIES: row_event.parse,
}


@pytest.mark.parametrize(("queue", "body"), CASES, ids=[f"{queue}-{body[:40]}" for queue, body in CASES])
def test_an_unreadable_message_is_parked_as_it_is(queue: Queue, body: str) -> None:
    world = bench()
    world.delivery.run(queue, body.encode(), PARSERS[queue], lambda _: pytest.fail("it was handled"))
    [parked] = world.queues.parked()
    assert (parked.code, parked.queue, parked.body) == ("UNREADABLE_MESSAGE", queue, body)
    assert parked.sentence.endswith(".")
    assert "iscard" in parked.remedy
    assert world.queues.bodies(queue) == []


def test_bytes_that_are_no_text_are_parked_readable() -> None:
    world = bench()
    world.delivery.run(Queue.PARTNER_CENTER_EVENTS, b"\xff\xfe{}", messages.parse, lambda _: pytest.fail("handled"))
    [parked] = world.queues.parked()
    assert parked.code == "UNREADABLE_MESSAGE"
    assert parked.body.endswith("{}")
