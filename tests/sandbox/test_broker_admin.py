"""The broker's admin port and its faults: what tests and the page see, and what the SDK makes of things going wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import ServiceBusServerBusyError

from sandbox.layout import QUEUES
from tests.sandbox.broker_fixture import BrokerProcess, running

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("broker")]

QUEUE = "parked"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    with running(tmp_path_factory.mktemp("broker"), "--max-delivery-count", "2", "--lock-duration-s", "5") as process:
        yield process


@pytest.fixture(scope="module")
def client(process: BrokerProcess) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(
        process.layout.service_bus_connection, retry_backoff_factor=0.1
    ) as client:
        yield client


@pytest.fixture(scope="module")
def sender(client: ServiceBusClient) -> ServiceBusSender:
    return client.get_queue_sender(QUEUE)


@pytest.fixture(scope="module")
def receiver(client: ServiceBusClient) -> ServiceBusReceiver:
    return client.get_queue_receiver(QUEUE)


@pytest.fixture
def broker(process: BrokerProcess) -> Iterator[BrokerProcess]:
    yield process
    process.ask("DELETE", f"/queues/{QUEUE}")
    process.ask("DELETE", "/faults")


def bodies(broker: BrokerProcess) -> list[str]:
    return [message["body"] for message in broker.ask("GET", f"/queues/{QUEUE}/messages")]


def test_every_queue_of_the_layout_is_counted(broker: BrokerProcess) -> None:
    nothing = {"active": 0, "scheduled": 0, "deferred": 0, "locked": 0, "dead_letter": 0}
    assert broker.ask("GET", "/queues") == dict.fromkeys(QUEUES, nothing)


def test_messages_are_shown_with_what_matters(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    sender.send_messages(
        ServiceBusMessage('{"ü": 1}', message_id="m", subject="s", application_properties={"code": "X", "n": 1})
    )
    sender.schedule_messages(ServiceBusMessage("later"), due)
    active, scheduled = broker.ask("GET", f"/queues/{QUEUE}/messages")
    expected: dict[str, Any] = {
        "state": "active",
        "locked": False,
        "delivery_count": 0,
        "message_id": "m",
        "subject": "s",
        "application_properties": {"code": "X", "n": 1},
        "body": '{"ü": 1}',
    }
    assert {key: active[key] for key in expected} == expected
    assert datetime.fromisoformat(active["enqueued_at"]).tzinfo is not None
    assert (scheduled["state"], scheduled["body"]) == ("scheduled", "later")
    assert datetime.fromisoformat(scheduled["scheduled_at"]) == due
    (message,) = receiver.receive_messages(max_wait_time=5)
    receiver.dead_letter_message(message, reason="R", error_description="D")
    (letter,) = broker.ask("GET", f"/queues/{QUEUE}/messages", params={"dead_letter": "true"})
    assert (letter["dead_letter_reason"], letter["dead_letter_description"]) == ("R", "D")
    assert len(broker.ask("GET", f"/queues/{QUEUE}/messages?limit=0")) == 0


def test_rest_is_said_when_it_comes(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    before = broker.ask("GET", "/idle")
    assert (before["idle"], before["queues"]) == (True, broker.ask("GET", "/queues"))
    sender.send_messages(ServiceBusMessage("x"))
    busy = broker.ask("GET", "/idle")
    assert (busy["idle"], busy["sent"], busy["queues"][QUEUE]["active"]) == (False, before["sent"] + 1, 1)
    assert broker.ask("GET", f"/idle?without={QUEUE}")["idle"] is True
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(broker.ask, "GET", "/idle?within_s=10")
        (message,) = receiver.receive_messages(max_wait_time=5)
        assert not waiting.done()
        begun = time.monotonic()
        receiver.complete_message(message)
        assert waiting.result()["idle"] is True
    assert time.monotonic() - begun < 5, "the answer comes with the rest, not with the end of the time"
    assert broker.ask("GET", "/idle")["sent"] == busy["sent"], "a message that went is still counted"


def test_what_is_scheduled_moves_if_asked_for(broker: BrokerProcess, sender: ServiceBusSender) -> None:
    sender.schedule_messages(ServiceBusMessage("later"), datetime.now(UTC) + timedelta(seconds=30))
    assert broker.ask("GET", "/idle")["idle"] is True
    assert broker.ask("GET", "/idle?scheduled=true")["idle"] is False
    assert broker.ask("GET", "/idle?within_s=0.1&scheduled=true")["idle"] is False
    broker.ask("DELETE", f"/queues/{QUEUE}")
    assert broker.ask("GET", "/idle?scheduled=true")["idle"] is True


def test_a_purge_removes_everything(broker: BrokerProcess, sender: ServiceBusSender) -> None:
    sender.send_messages([ServiceBusMessage("a", message_id="same"), ServiceBusMessage("b")])
    assert broker.ask("DELETE", f"/queues/{QUEUE}") == {"removed": 2}
    assert broker.counts(QUEUE) == {}
    sender.send_messages(ServiceBusMessage("a", message_id="same"))
    assert broker.counts(QUEUE) == {"active": 1}


def test_the_options_hold(broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
    sender.send_messages(ServiceBusMessage("x"))
    for _ in range(2):
        assert receiver.receive_messages(max_wait_time=5)
        broker.advance(5)
    assert broker.counts(QUEUE) == {"dead_letter": 1}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "sentence"),
    [
        ("GET", "/queues/nothing/messages", None, 404, "There is no queue 'nothing'; the queues are partner-center"),
        ("GET", "/idle?within_s=long", None, 400, "The request is not understood: within_s: "),
        ("GET", "/idle?parked=no", None, 400, "The request is not understood: parked: "),
        ("DELETE", "/queues/nothing", None, 404, "There is no queue 'nothing'"),
        ("GET", "/queues/parked/messages?limit=many", None, 400, "limit is a number of messages, not 'many'."),
        ("POST", "/clock", {"advance": 1}, 400, "advance_s: Field required"),
        ("POST", "/clock", {"advance_s": -1}, 400, "greater than or equal to 0"),
        ("POST", "/faults", {"kind": "fire"}, 400, "kind: Input should be 'refuse_send'"),
        ("DELETE", "/faults/77", None, 404, "There is no fault 77."),
        ("GET", "/nothing", None, 404, "Not Found"),
    ],
)
def test_bad_requests_get_a_sentence(
    broker: BrokerProcess, method: str, path: str, body: Any, status: int, sentence: str
) -> None:
    answer = requests.request(method, broker.layout.broker_admin_url + path, json=body, timeout=10)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]


def test_a_refused_send(broker: BrokerProcess, client: ServiceBusClient) -> None:
    broker.fault(kind="refuse_send", queue=QUEUE, times=2)
    connection = broker.layout.service_bus_connection
    with ServiceBusClient.from_connection_string(connection, retry_total=0) as impatient:
        sender = impatient.get_queue_sender(QUEUE)
        for _ in range(2):
            with pytest.raises(ServiceBusServerBusyError):
                sender.send_messages(ServiceBusMessage("x"))
        sender.send_messages(ServiceBusMessage("third"))
    assert bodies(broker) == ["third"]
    assert [fault["fired"] for fault in broker.ask("GET", "/faults")] == [2]


def test_after_a_lost_answer_the_sdk_sends_again_and_it_stays_one_message(
    broker: BrokerProcess, sender: ServiceBusSender
) -> None:
    broker.fault(kind="lost_answer")
    sender.send_messages(ServiceBusMessage("once", message_id="deterministic"))
    assert bodies(broker) == ["once"], "duplicate detection is what makes it one"
    assert [fault["fired"] for fault in broker.ask("GET", "/faults")] == [1]


def test_dropped_connections_come_back(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    sender.send_messages(ServiceBusMessage("before", message_id="before"))
    broker.fault(kind="drop_connections")
    sender.send_messages(ServiceBusMessage("after", message_id="after"))
    received: list[str | None] = []
    while len(received) < 2:
        for message in receiver.receive_messages(max_message_count=2, max_wait_time=20):
            received.append(message.message_id)
            receiver.complete_message(message)
    assert received == ["before", "after"]


def test_a_completed_message_delivered_again(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    broker.fault(kind="duplicate_delivery", queue=QUEUE)
    sender.send_messages(ServiceBusMessage("x"))
    for delivery in range(2):
        (message,) = receiver.receive_messages(max_wait_time=5)
        assert message.delivery_count == delivery
        receiver.complete_message(message)
    assert broker.counts(QUEUE) == {}


def test_a_delayed_answer(broker: BrokerProcess, sender: ServiceBusSender) -> None:
    sender.send_messages(ServiceBusMessage("opens the link"))
    broker.fault(kind="delay", delay_s=0.4)
    started = time.monotonic()
    sender.send_messages(ServiceBusMessage("slow"))
    assert time.monotonic() - started >= 0.4
    assert bodies(broker) == ["opens the link", "slow"]
