"""The port `Queues`, on the fake and on the real client against the broker."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from sandbox.layout import Layout
from shared.clients.service_bus import ServiceBusQueues, client_from_connection_string
from shared.errors import ConfigurationError, Unavailable
from shared.messages import REVIEW, Hint, ParkedMessage, Queue, parse
from shared.ports import Queues
from tests.contract.cloud import Cloud, now
from tests.fakes.clock import VirtualClock
from tests.fakes.service_bus import FakeQueues


@dataclass
class Bench:
    """The port under test and a look into the queues: bodies and attempts of what is due, number of what is not."""

    port: Queues
    due: Callable[[str], list[tuple[str, int]]]
    scheduled: Callable[[str], int]
    wait: Callable[[float], None]


def hint(**changes: Any) -> Hint:
    made = {"subject": "referral", "id": uuid.uuid4(), "reason": "referral-updated", "version": "1"}
    return Hint.model_validate({**made, **changes})


def admin(layout: Layout, path: str) -> Any:
    return requests.get(f"{layout.broker_admin_url}{path}", timeout=10).json()


@pytest.fixture(params=["fake", "client"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "fake":
        clock = VirtualClock()
        fake = FakeQueues(clock)

        def fake_due(queue: str) -> list[tuple[str, int]]:
            found = []
            while message := fake.receive(queue):
                found.append((message.body, message.attempt))
                fake.complete(message)
            return found

        yield Bench(fake, fake_due, lambda queue: len(fake.bodies(queue)), clock.advance)
        return
    cloud: Cloud = request.getfixturevalue("cloud")
    port = cloud.shared_queues
    for queue in Queue:
        requests.delete(f"{cloud.layout.broker_admin_url}/queues/{queue}", timeout=10)

    def due(queue: str) -> list[tuple[str, int]]:
        messages = admin(cloud.layout, f"/queues/{queue}/messages")
        return [
            (message["body"], message["application_properties"].get("attempt"))
            for message in messages
            if message["state"] == "active"
        ]

    yield Bench(port, due, lambda queue: int(admin(cloud.layout, "/queues")[queue]["scheduled"]), time.sleep)


def test_a_hint_arrives_as_it_was_sent(bench: Bench) -> None:
    sent = hint(attempt=2, first_seen_at=datetime(2026, 3, 2, 9, tzinfo=UTC), engagement_id=uuid.uuid4())
    bench.port.send(Queue.PARTNER_CENTER_EVENTS, sent)
    ((body, attempt),) = bench.due(Queue.PARTNER_CENTER_EVENTS)
    assert parse(body) == sent
    assert attempt == 2


def test_the_same_hint_twice_is_one_message_and_another_is_another(bench: Bench) -> None:
    sent = hint()
    for repeated in (sent, sent, sent.model_copy(update={"attempt": 1})):
        bench.port.send(Queue.PARTNER_CENTER_EVENTS, repeated)
    assert len(bench.due(Queue.PARTNER_CENTER_EVENTS)) == 2


def test_the_same_hint_may_go_to_two_queues(bench: Bench) -> None:
    sent = hint()
    for queue in (Queue.PARTNER_CENTER_EVENTS, Queue.MICROSOFT_REFERRAL_UPDATES):
        bench.port.send(queue, sent)
        assert len(bench.due(queue)) == 1


def test_a_delayed_hint_is_not_due_at_first(bench: Bench) -> None:
    bench.port.send(Queue.CREATE_COSELL_REFERRAL, hint(), delay_s=0.7)
    assert bench.scheduled(Queue.CREATE_COSELL_REFERRAL) == 1
    assert bench.due(Queue.CREATE_COSELL_REFERRAL) == []
    bench.wait(1.0)
    assert len(bench.due(Queue.CREATE_COSELL_REFERRAL)) == 1


def test_the_same_body_again_is_another_message_and_due_later(bench: Bench) -> None:
    for _ in range(2):
        bench.port.resend(Queue.DYNAMICS_365_OPPORTUNITIES, '{"any": "böдy"}', delay_s=0.7)
    assert bench.scheduled(Queue.DYNAMICS_365_OPPORTUNITIES) == 2
    assert bench.due(Queue.DYNAMICS_365_OPPORTUNITIES) == []
    bench.wait(1.0)
    assert [body for body, _ in bench.due(Queue.DYNAMICS_365_OPPORTUNITIES)] == ['{"any": "böдy"}'] * 2


def test_what_is_parked_keeps_its_reason_and_its_body(bench: Bench) -> None:
    parked = ParkedMessage(
        code="PC_REJECTED",
        sentence="Partner Center refused the data.",
        remedy="Correct it.",
        queue=Queue.CREATE_COSELL_REFERRAL,
        correlation_id=str(uuid.uuid4()),
        body='{"any": "ünreadable ✖',
        parked_at=datetime(2026, 3, 2, 9, tzinfo=UTC),
    )
    bench.port.park(parked)
    # After a replay the same message may fail again: then it must be parked again.
    bench.port.park(parked.model_copy(update={"parked_at": datetime(2026, 3, 2, 9, 1, tzinfo=UTC)}))
    bodies = [body for body, _ in bench.due(Queue.PARKED)]
    assert len(bodies) == 2
    assert ParkedMessage.model_validate_json(bodies[0]) == parked


def test_a_deal_that_awaits_review_is_parked_once_however_often_it_is_met(bench: Bench) -> None:
    deal = hint()
    for minute, met in enumerate((deal, deal.model_copy(update={"reason": "sweep", "version": "2"}), hint())):
        bench.port.park(
            ParkedMessage(
                code=REVIEW,
                sentence="A new inbound deal waits for a decision.",
                remedy="Decide.",
                queue=Queue.PARTNER_CENTER_EVENTS,
                correlation_id=str(met.correlation_id),
                body=met.to_json(),
                parked_at=datetime(2026, 3, 2, 9, minute, tzinfo=UTC),
            )
        )
        bench.wait(0.01)
    assert len(bench.due(Queue.PARKED)) == 2


def test_a_queue_that_does_not_exist_is_the_operators_business(bench: Bench) -> None:
    with pytest.raises(ConfigurationError) as caught:
        bench.port.send("no-such-queue", hint())
    assert caught.value.code == "SB_QUEUE_MISSING"


# the real client only -------------------------------------------------------------------------------------------------
def test_many_threads_share_one_sender(cloud: Cloud) -> None:
    queues = cloud.shared_queues
    requests.delete(f"{cloud.layout.broker_admin_url}/queues/{Queue.DYNAMICS_365_SOLUTIONS}", timeout=10)
    errors: list[BaseException] = []

    def send() -> None:
        try:
            for _ in range(50):
                queues.send(Queue.DYNAMICS_365_SOLUTIONS, hint())
        except BaseException as error:  # noqa: BLE001 - reported by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    assert admin(cloud.layout, "/queues")[Queue.DYNAMICS_365_SOLUTIONS]["active"] == 400


def test_what_travels_with_a_message(cloud: Cloud) -> None:
    requests.delete(f"{cloud.layout.broker_admin_url}/queues/{Queue.PARTNER_CENTER_EVENTS}", timeout=10)
    sent = hint(attempt=3)
    cloud.shared_queues.send(Queue.PARTNER_CENTER_EVENTS, sent)
    (message,) = admin(cloud.layout, f"/queues/{Queue.PARTNER_CENTER_EVENTS}/messages")
    assert message["message_id"] == sent.message_id(Queue.PARTNER_CENTER_EVENTS)
    assert message["correlation_id"] == str(sent.correlation_id)
    assert message["content_type"] == "application/json"
    assert json.loads(message["body"])["reason"] == "referral-updated"


def test_a_broker_that_comes_back_is_used_again(cloud: Cloud) -> None:
    queues = cloud.shared_queues
    queues.send(Queue.MICROSOFT_REFERRAL_UPDATES, hint())
    broker = cloud.part("broker")
    broker.kill()
    broker.wait(10)
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        queues.send(Queue.MICROSOFT_REFERRAL_UPDATES, hint())
    assert caught.value.code in ("SB_UNREACHABLE", "SB_INTERRUPTED", "SB_TIMEOUT")
    assert time.monotonic() - started < 25
    broker.start()
    broker.wait_ready()
    last = hint()
    queues.send(Queue.MICROSOFT_REFERRAL_UPDATES, last)
    messages = admin(cloud.layout, f"/queues/{Queue.MICROSOFT_REFERRAL_UPDATES}/messages")
    assert [parse(message["body"]) for message in messages][-1] == last


def test_nobody_there_is_unavailable(cloud: Cloud) -> None:
    nobody = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=x;SharedAccessKey=eA==;UseDevelopmentEmulator=true;"
    queues = ServiceBusQueues(lambda: client_from_connection_string(nobody), now)
    try:
        with pytest.raises(Unavailable) as caught:
            queues.send(Queue.PARTNER_CENTER_EVENTS, hint())
    finally:
        queues.close()
    assert caught.value.code == "SB_UNREACHABLE"
