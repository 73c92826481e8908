"""The broker through the unmodified azure-servicebus SDK over a real socket: everything the product relies on.

One broker process and one sender and receiver per queue for the whole module, because the SDK takes half a second to
open one; each test begins with an empty queue. Time passes on request, nothing sleeps."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusError,
)

from sandbox.process import PartProcess
from tests.sandbox.broker_fixture import BrokerProcess, eventually, running

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("broker")]

QUEUE = "partner-center-events"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    with running(tmp_path_factory.mktemp("broker")) as process:
        yield process


@pytest.fixture(scope="module")
def client(process: BrokerProcess) -> Iterator[ServiceBusClient]:
    connection = process.layout.service_bus_connection
    with ServiceBusClient.from_connection_string(connection, retry_total=0) as client:
        yield client


@pytest.fixture(scope="module")
def sender(client: ServiceBusClient) -> ServiceBusSender:
    return client.get_queue_sender(QUEUE)


@pytest.fixture(scope="module")
def receiver(client: ServiceBusClient) -> ServiceBusReceiver:
    return client.get_queue_receiver(QUEUE)


@pytest.fixture(scope="module")
def dead_letters(client: ServiceBusClient) -> ServiceBusReceiver:
    return client.get_queue_receiver(QUEUE, sub_queue=ServiceBusSubQueue.DEAD_LETTER)


@pytest.fixture
def broker(process: BrokerProcess) -> Iterator[BrokerProcess]:
    yield process
    process.ask("DELETE", f"/queues/{QUEUE}")
    process.ask("DELETE", "/faults")


def one(receiver: ServiceBusReceiver) -> ServiceBusReceivedMessage:
    (message,) = receiver.receive_messages(max_message_count=1, max_wait_time=5)
    return message


def text(message: ServiceBusReceivedMessage) -> str:
    return b"".join(message.body).decode()


def in_a_while(seconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_a_message_arrives_as_it_was_sent(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    properties: dict[Any, Any] = {"text": "Grüße", "number": 42, "true": True, "real": 1.5, "guid": uuid.uuid4()}
    sender.send_messages(
        ServiceBusMessage(
            '{"deal": "Contoso"}',
            message_id="an-id",
            correlation_id="a-correlation",
            subject="a-subject",
            content_type="application/json",
            to="somewhere",
            reply_to="someone",
            session_id=None,
            time_to_live=timedelta(hours=1),
            application_properties=dict(properties),
        )
    )
    message = one(receiver)
    assert text(message) == '{"deal": "Contoso"}'
    assert (message.message_id, message.correlation_id, message.subject) == ("an-id", "a-correlation", "a-subject")
    assert (message.content_type, message.to, message.reply_to) == ("application/json", "somewhere", "someone")
    assert message.time_to_live == timedelta(hours=1)
    received = {
        key.decode(): value.decode() if isinstance(value, bytes) else value
        for key, value in (message.application_properties or {}).items()
        if isinstance(key, bytes)
    }
    assert received == properties
    assert message.delivery_count == 0
    assert message.sequence_number
    assert message.state is ServiceBusMessageState.ACTIVE
    now = datetime.now(UTC)
    assert message.enqueued_time_utc is not None
    assert abs(now - message.enqueued_time_utc) < timedelta(seconds=10)
    assert message.locked_until_utc is not None
    assert timedelta(seconds=50) < message.locked_until_utc - now <= timedelta(seconds=60)
    assert broker.counts(QUEUE) == {"locked": 1}
    receiver.complete_message(message)
    assert broker.counts(QUEUE) == {}


def test_abandoned_too_often_it_is_dead_lettered(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver, dead_letters: ServiceBusReceiver
) -> None:
    sender.send_messages(ServiceBusMessage("poison"))
    for delivery in range(10):
        message = one(receiver)
        assert message.delivery_count == delivery
        receiver.abandon_message(message)
    assert broker.counts(QUEUE) == {"dead_letter": 1}
    letter = one(dead_letters)
    assert letter.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert letter.dead_letter_error_description == "Message could not be consumed after 10 delivery attempts."
    assert letter.delivery_count == 10
    assert text(letter) == "poison"
    dead_letters.complete_message(letter)
    assert broker.counts(QUEUE) == {}


def test_dead_lettered_with_a_reason(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver, dead_letters: ServiceBusReceiver
) -> None:
    sender.send_messages(ServiceBusMessage("unreadable", application_properties={"kept": "yes"}))
    receiver.dead_letter_message(one(receiver), reason="UNREADABLE", error_description="It is not JSON.")
    letter = one(dead_letters)
    assert (letter.dead_letter_reason, letter.dead_letter_error_description) == ("UNREADABLE", "It is not JSON.")
    assert (letter.application_properties or {}).get(b"kept") == b"yes"
    dead_letters.complete_message(letter)


def test_deferred_and_received_by_number(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver, dead_letters: ServiceBusReceiver
) -> None:
    sender.send_messages([ServiceBusMessage(str(i)) for i in range(3)])
    numbers = []
    for _ in range(3):
        message = one(receiver)
        numbers.append(message.sequence_number or 0)
        receiver.defer_message(message)
    assert broker.counts(QUEUE) == {"deferred": 3}
    messages = receiver.receive_deferred_messages(numbers)
    assert [text(message) for message in messages] == ["0", "1", "2"]
    assert messages[0].state is ServiceBusMessageState.DEFERRED
    receiver.complete_message(messages[0])  # a deferred message is settled over $management
    receiver.abandon_message(messages[1])
    receiver.dead_letter_message(messages[2], reason="why", error_description="because")
    assert broker.counts(QUEUE) == {"deferred": 1, "dead_letter": 1}
    assert one(dead_letters).dead_letter_reason == "why"
    with pytest.raises(MessageNotFoundError):
        receiver.receive_deferred_messages(numbers[:1])


def test_a_renewed_lock_survives_its_first_end(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    sender.send_messages(ServiceBusMessage("long work"))
    message = one(receiver)
    broker.advance(50)
    assert receiver.renew_message_lock(message) > in_a_while(50)
    broker.advance(50)
    receiver.complete_message(message)
    assert broker.counts(QUEUE) == {}


def test_an_ended_lock_is_told_and_the_message_comes_again(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    sender.send_messages(ServiceBusMessage("slow"))
    message = one(receiver)
    broker.advance(61)
    assert broker.counts(QUEUE) == {"active": 1}
    with pytest.raises(MessageLockLostError):
        receiver.complete_message(message)
    with pytest.raises(MessageLockLostError):
        receiver.renew_message_lock(message)
    again = one(receiver)
    assert again.delivery_count == 1
    receiver.complete_message(again)


def test_scheduled_cancelled_and_due(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    first, second = sender.schedule_messages([ServiceBusMessage("later"), ServiceBusMessage("never")], in_a_while(600))
    sender.send_messages(ServiceBusMessage("soon", scheduled_enqueue_time_utc=in_a_while(30)))
    assert broker.counts(QUEUE) == {"scheduled": 3}
    sender.cancel_scheduled_messages(second)
    with pytest.raises(MessageNotFoundError):
        sender.cancel_scheduled_messages(second)
    broker.advance(30)
    message = one(receiver)
    assert text(message) == "soon"
    receiver.complete_message(message)
    assert broker.counts(QUEUE) == {"scheduled": 1}
    broker.advance(570)
    message = one(receiver)
    assert (text(message), message.sequence_number) == ("later", first)
    receiver.complete_message(message)


def test_a_scheduled_message_becomes_due_by_itself(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    sender.schedule_messages(ServiceBusMessage("soon"), datetime.now(UTC) + timedelta(milliseconds=300))
    assert broker.counts(QUEUE) == {"scheduled": 1}
    receiver.complete_message(one(receiver))


def test_peeking_takes_nothing(broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
    sender.send_messages([ServiceBusMessage("active"), ServiceBusMessage("deferred")])
    sender.schedule_messages(ServiceBusMessage("scheduled"), in_a_while(60))
    kept, deferred = one(receiver), one(receiver)
    receiver.defer_message(deferred)
    receiver.abandon_message(kept)
    seen = receiver.peek_messages(10, sequence_number=1)
    assert [(text(message), message.state.name) for message in seen] == [
        ("active", "ACTIVE"),
        ("deferred", "DEFERRED"),
        ("scheduled", "SCHEDULED"),
    ]
    assert len(receiver.peek_messages(10, sequence_number=seen[1].sequence_number or 0)) == 2
    assert broker.counts(QUEUE) == {"active": 1, "deferred": 1, "scheduled": 1}


def test_a_batch_of_300(broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
    batch = sender.create_message_batch()
    for number in range(300):
        batch.add_message(ServiceBusMessage(str(number), message_id=f"batch-{number}"))
    sender.send_messages(batch)
    assert broker.counts(QUEUE) == {"active": 300}
    received: list[str] = []
    while len(received) < 300:
        for message in receiver.receive_messages(max_message_count=100, max_wait_time=5):
            received.append(text(message))
            receiver.complete_message(message)
    assert received == [str(number) for number in range(300)]
    assert broker.counts(QUEUE) == {}


def test_the_same_message_id_is_one_message(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    for _ in range(3):
        sender.send_messages(ServiceBusMessage("hint", message_id="deterministic"))
    sender.schedule_messages(ServiceBusMessage("hint", message_id="deterministic"), in_a_while(60))
    assert broker.counts(QUEUE) == {"active": 1}
    receiver.complete_message(one(receiver))
    sender.send_messages(ServiceBusMessage("hint", message_id="deterministic"))
    assert broker.counts(QUEUE) == {}
    broker.advance(601)
    sender.send_messages(ServiceBusMessage("hint", message_id="deterministic"))
    assert broker.counts(QUEUE) == {"active": 1}


def test_a_message_too_old_is_dead_lettered(
    broker: BrokerProcess, sender: ServiceBusSender, dead_letters: ServiceBusReceiver
) -> None:
    sender.send_messages(ServiceBusMessage("old", time_to_live=timedelta(seconds=30)))
    broker.advance(30)
    letter = one(dead_letters)
    assert letter.dead_letter_reason == "TTLExpiredException"
    dead_letters.complete_message(letter)


def test_receive_and_delete(broker: BrokerProcess, client: ServiceBusClient, sender: ServiceBusSender) -> None:
    sender.send_messages([ServiceBusMessage("1"), ServiceBusMessage("2")])
    with client.get_queue_receiver(QUEUE, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as deleting:
        assert [text(one(deleting)) for _ in range(2)] == ["1", "2"]
    assert broker.counts(QUEUE) == {}


def test_a_waiting_receiver_gets_prefetched_messages_and_gives_them_back_on_close(
    broker: BrokerProcess, client: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    sender.send_messages([ServiceBusMessage(str(number)) for number in range(20)])
    with client.get_queue_receiver(QUEUE, prefetch_count=10) as eager:
        eager.complete_message(one(eager))
        eventually(lambda: broker.counts(QUEUE).get("locked", 0) > 1)
    eventually(lambda: broker.counts(QUEUE) == {"active": 19})
    message = one(receiver)
    assert message.delivery_count == 0, "a message given back unread was not delivered"
    receiver.complete_message(message)


def test_large_messages_up_to_the_limit(
    broker: BrokerProcess, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    body = "x" * 200_000
    sender.send_messages(ServiceBusMessage(body))
    message = one(receiver)
    assert text(message) == body
    receiver.complete_message(message)
    with pytest.raises(MessageSizeExceededError):
        sender.send_messages(ServiceBusMessage("x" * 262_144))
    with pytest.raises(ValueError, match="size"):
        sender.create_message_batch(max_size_in_bytes=1_000_000)


def test_an_unknown_queue_is_named(client: ServiceBusClient) -> None:
    with pytest.raises(MessagingEntityNotFoundError, match="'no-such-queue' could not be found"):
        client.get_queue_sender("no-such-queue").send_messages(ServiceBusMessage("x"))


def test_a_session_receiver_is_refused_with_the_reason(client: ServiceBusClient) -> None:
    with pytest.raises(ServiceBusError, match="not a session queue"):
        client.get_queue_receiver(QUEUE, session_id="a").receive_messages(max_wait_time=5)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("SharedAccessKey=c2FuZGJveC1rZXk=", "SharedAccessKey=d3Jvbmc="), ("KeyName=sandbox", "KeyName=nobody")],
)
def test_a_wrong_key_is_refused(process: BrokerProcess, right: str, wrong: str) -> None:
    connection = process.layout.service_bus_connection
    assert right in connection
    with (
        ServiceBusClient.from_connection_string(connection.replace(right, wrong), retry_total=0) as client,
        pytest.raises(ServiceBusAuthenticationError),
    ):
        client.get_queue_sender(QUEUE).send_messages(ServiceBusMessage("x"))


def test_what_was_confirmed_survives_a_killed_broker(tmp_path: Path) -> None:
    with running(tmp_path) as broker:
        with ServiceBusClient.from_connection_string(
            broker.layout.service_bus_connection, retry_backoff_factor=0.1
        ) as client:
            sender = client.get_queue_sender(QUEUE)
            receiver = client.get_queue_receiver(QUEUE)
            for body in ("deferred", "dead", "abandoned", "locked", "active"):
                sender.send_messages(ServiceBusMessage(body, message_id=body))
            (number,) = sender.schedule_messages(ServiceBusMessage("scheduled"), in_a_while(600))
            deferred = one(receiver)
            receiver.defer_message(deferred)
            receiver.dead_letter_message(one(receiver), reason="why")
            receiver.abandon_message(one(receiver))
            receiver.abandon_message(one(receiver))
            held = [one(receiver), one(receiver)]
            broker.kill()
            broker.start()
            assert broker.counts(QUEUE) == {"active": 3, "scheduled": 1, "deferred": 1, "dead_letter": 1}
            # The same client objects carry on by themselves; locks of the old process are void.
            with pytest.raises(MessageLockLostError):
                receiver.complete_message(held[0])
            found: dict[str, int | None] = {}
            while len(found) < 3:
                for message in receiver.receive_messages(max_message_count=3, max_wait_time=20):
                    found[text(message)] = message.delivery_count
                    receiver.complete_message(message)
            assert found == {"abandoned": 2, "locked": 0, "active": 0}
            assert [text(m) for m in receiver.receive_deferred_messages([deferred.sequence_number or 0])] == [
                "deferred"
            ]
            sender.send_messages(ServiceBusMessage("again", message_id="active"))
            assert "active" not in broker.counts(QUEUE), "the duplicate detection history survived too"
            sender.cancel_scheduled_messages(number)
        assert broker.stop() == 0


def test_a_second_broker_says_that_the_port_is_taken(process: BrokerProcess) -> None:
    second = PartProcess("broker", process.layout.state)
    second.start()
    second.wait(20)
    _, *said = second.log_lines()
    assert second.exit_code == 1
    assert len(said) == 1
    assert "already in use" in said[0]
