"""Queue messages that nobody can read: set aside with code, sentence and remedy, the body as it came."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from sandbox.clients import connection
from sandbox.layout import Layout
from sandbox.supervisor import Sandbox
from shared import messages, row_event
from shared.messages import Queue
from tests.acceptance import command_line
from tests.bad_input.pair import bench

ROOT = Path(__file__).resolve().parents[2]
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


@pytest.mark.sandbox
@pytest.mark.slow
def test_an_operator_sees_it_with_its_remedy_and_discards_it(tmp_path: Path) -> None:
    """Through the real queue, host and command."""
    layout = Layout.create(tmp_path)
    with Sandbox(layout, parts=("broker", "host")):
        bus = ServiceBusClient.from_connection_string(layout.service_bus_connection)
        with bus, bus.get_queue_sender(str(Queue.PARTNER_CENTER_EVENTS)) as sender:
            sender.send_messages(ServiceBusMessage("not json"))
        _wait_for_parked(layout, 1)
        listed = _in_a_process(layout, "parked", "list")
        assert "UNREADABLE_MESSAGE" in listed
        assert "Traceback" not in listed
        name = next(word for word in listed.split() if word.startswith("parked:"))
        settings = layout.state / "local.settings.json"
        shown = command_line.run(settings, "parked", "show", name)
        assert "not json" in shown.out
        assert "discard the message" in shown.out
        assert command_line.run(settings, "parked", "discard", name).code == 0
        _wait_for_parked(layout, 0)


def _in_a_process(layout: Layout, *arguments: str) -> str:
    """As an operator runs it."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "admin", "--settings", str(layout.state / "local.settings.json"), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _wait_for_parked(layout: Layout, wanted: int) -> None:
    give_up_at = time.monotonic() + 20
    with connection(layout) as http:
        while True:
            counts = http.get(f"{layout.broker_admin_url}/queues", timeout=10).json()[Queue.PARKED]
            if sum(counts.values()) == wanted:
                return
            assert time.monotonic() < give_up_at, json.dumps(counts)
            time.sleep(0.1)
