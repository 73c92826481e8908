"""Queue triggers of the Functions host against the sandbox's broker: two processes, the real SDK on both ends."""

from __future__ import annotations

import json
import signal
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSender

from sandbox.host.queue_trigger import without_keep_alive
from tests.sandbox.host_process import Child, Host, wait_for

EVENTS, PARKED = "partner-center-events", "parked"
LOCK_S = 2.0
MOST_DELIVERIES = 4
pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("host-queue")]


class Pair:
    """A broker and a host on one state directory."""

    def __init__(self, state: Path) -> None:
        self.host = Host("queue", state, "--grace", "0.5", EVENTS_QUEUE=EVENTS)
        connection = self.host.layout.service_bus_connection
        settings = state / "local.settings.json"
        document = json.loads(settings.read_text())
        document["Values"]["ServiceBusConnection"] = connection
        settings.write_text(json.dumps(document))
        self.start_broker()
        self._client = ServiceBusClient.from_connection_string(connection)
        self._senders: dict[str, ServiceBusSender] = {}

    def start_broker(self) -> None:
        options = ("--lock-duration-s", str(LOCK_S), "--max-delivery-count", str(MOST_DELIVERIES))
        self.broker = Child("broker", self.host.state, *options)
        self.broker.start()
        self.broker.wait_ready()

    def send(self, *orders: dict[str, Any], queue: str = EVENTS, **properties: Any) -> None:
        """One message for each order."""
        if queue not in self._senders:
            self._senders[queue] = self._client.get_queue_sender(queue)
        self._senders[queue].send_messages([ServiceBusMessage(json.dumps(order), **properties) for order in orders])

    def queue(self, name: str = EVENTS) -> dict[str, int]:
        queues: dict[str, dict[str, int]] = requests.get(
            self.host.layout.broker_admin_url + "/queues", timeout=5
        ).json()
        return queues[name]

    def is_idle(self) -> bool:
        held = self.queue()
        return not (held["active"] or held["locked"] or self.host.counts("events")["running"])

    def close(self) -> None:
        self._client.close()
        assert self.host.child.end() == 0, self.host.child.text()
        assert self.broker.end() == 0, self.broker.text()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    pair = Pair(tmp_path_factory.mktemp("host-queue"))
    pair.host.start()
    yield pair
    pair.close()


def test_nobody_but_the_slot_reads_from_its_connection() -> None:
    connection = "Endpoint=sb://127.0.0.1;SharedAccessKeyName=n;SharedAccessKey=a2V5;UseDevelopmentEmulator=true;"
    with ServiceBusClient.from_connection_string(connection) as client:
        ordinary, quiet = client.get_queue_receiver(EVENTS), client.get_queue_receiver(EVENTS)
        without_keep_alive(quiet)
        intervals_s = []
        for receiver in (ordinary, quiet):
            receiver._create_handler(None)
            intervals_s.append(receiver._handler._keep_alive_interval)
    assert intervals_s == [5, 0], "the SDK's own interval, and none"


def test_a_message_has_the_shape_of_the_real_host(pair: Pair) -> None:
    properties = {"text": "ä", "number": 3, "yes": True}
    pair.send(
        {"case": "shape"},
        message_id="shape-1",
        content_type="application/json",
        correlation_id="correlation",
        subject="a subject",
        application_properties=properties,
    )
    wait_for(lambda: pair.host.records(done="shape-1"))
    (seen,) = pair.host.records(message_id="shape-1")
    assert json.loads(seen["body"]) == {"case": "shape"}
    assert (seen["content_type"], seen["correlation_id"]) == ("application/json", "correlation")
    assert (seen["subject"], seen["label"], seen["session_id"]) == ("a subject", "a subject", None)
    assert seen["properties"] == seen["user_properties"] == properties
    assert seen["delivery_count"] == 1
    assert seen["sequence_number"] > 0
    assert len(seen["lock_token"]) == 36
    assert seen["enqueued_is_naive"]
    enqueued_at = datetime.fromisoformat(seen["enqueued"]).replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - enqueued_at) < timedelta(seconds=30)
    assert seen["never_sent"] == [None, None, None, None]
    assert {"ApplicationProperties", "UserProperties", "ExpiresAtUtc", "EnqueuedTimeUtc"} <= set(seen["metadata"])


def test_returning_completes_and_raising_brings_the_message_back_at_once(pair: Pair) -> None:
    before = pair.host.counts("events")
    begun = time.monotonic()
    pair.send({"fail_times": 2}, message_id="again")
    wait_for(lambda: pair.host.records(done="again"))
    assert time.monotonic() - begun < LOCK_S, "redelivery must not wait for the lock to expire"
    assert [seen["delivery_count"] for seen in pair.host.records(message_id="again")] == [1, 2, 3]
    wait_for(pair.is_idle)
    after = pair.host.counts("events")
    assert (after["succeeded"] - before["succeeded"], after["failed"] - before["failed"]) == (1, 2)
    assert pair.queue() == {"active": 0, "scheduled": 0, "deferred": 0, "locked": 0, "dead_letter": 0}
    assert "failed: RuntimeError: told to fail on delivery 2" in pair.host.child.text()


def test_a_message_that_always_fails_ends_in_the_dead_letter_queue(pair: Pair) -> None:
    pair.send({"fail_times": 99}, message_id="hopeless")
    wait_for(lambda: pair.queue()["dead_letter"] == 1)
    assert len(pair.host.records(message_id="hopeless")) == MOST_DELIVERIES
    requests.delete(f"{pair.host.layout.broker_admin_url}/queues/{EVENTS}", timeout=5)


def test_the_lock_is_renewed_while_a_function_runs(pair: Pair) -> None:
    pair.send({"sleep_s": LOCK_S * 1.5}, message_id="long")
    wait_for(lambda: pair.host.records(done="long"))
    wait_for(pair.is_idle)
    assert [seen["delivery_count"] for seen in pair.host.records(message_id="long")] == [1]


def test_as_many_messages_run_at_once_as_host_json_allows(pair: Pair) -> None:
    pair.send(*({"sleep_s": 0.3, "n": n} for n in range(4)))
    most = 0
    while not pair.is_idle():
        most = max(most, pair.host.counts("events")["running"])
    assert most == 2


def test_an_asynchronous_function_on_another_queue(pair: Pair) -> None:
    pair.send({"n": 1}, queue=PARKED, message_id="async")
    wait_for(lambda: pair.host.records(function="parked", message_id="async"))
    wait_for(lambda: pair.queue(PARKED)["locked"] == 0)


def test_a_queue_function_runs_by_hand(pair: Pair) -> None:
    path = "/admin/functions/events?wait=true"
    good = {"input": json.dumps({"by": "hand"})}
    assert pair.host.ask("POST", path, key=True, json=good).status_code == 200
    assert len(pair.host.records(body=good["input"], delivery_count=1)) == 1
    failed = pair.host.ask("POST", path, key=True, json={"input": json.dumps({"fail_times": 1})})
    assert failed.status_code == 500
    assert "told to fail" in failed.json()["error"]


def test_an_idle_host_takes_a_message_at_once(pair: Pair) -> None:
    waits_ms = []
    for n in range(9):
        sent_at = time.time()
        pair.send({"n": n}, message_id=f"quick-{n}")
        wait_for(pair.is_idle)
        (seen,) = pair.host.records(message_id=f"quick-{n}")
        waits_ms.append((seen["at"] - sent_at) * 1000)
    assert statistics.median(waits_ms) < 100, waits_ms


def test_a_broker_that_crashes_is_found_again(pair: Pair) -> None:
    pair.broker.end(signal.SIGKILL)
    wait_for(lambda: pair.host.get("/admin/host/status", key=True).json()["serviceBus"] == "reconnecting")
    pair.start_broker()
    begun = time.monotonic()
    wait_for(lambda: pair.host.get("/admin/host/status", key=True).json()["serviceBus"] == "connected")
    assert time.monotonic() - begun < 5
    pair.send({"after": "crash"}, message_id="after-crash")
    wait_for(lambda: pair.host.records(done="after-crash"))
    log = pair.host.child.text()
    assert (log.count("is not reachable"), log.count("is reachable again")) == (1, 1)


def test_a_stop_gives_back_what_still_runs(pair: Pair) -> None:
    pair.send({"sleep_s": 30}, message_id="unfinished")
    wait_for(lambda: pair.host.records(message_id="unfinished"))
    assert pair.host.child.end() == 0
    wait_for(lambda: pair.queue()["active"] == 1, within_s=LOCK_S / 2)
    assert "given up because the host stops" in pair.host.child.text()
    requests.delete(f"{pair.host.layout.broker_admin_url}/queues/{EVENTS}", timeout=5)
    pair.host.start()


def test_a_killed_host_loses_nothing(pair: Pair) -> None:
    pair.send(*({"sleep_s": 0.05, "n": n} for n in range(20)))
    wait_for(lambda: pair.host.counts("events")["succeeded"] >= 3)
    pair.host.child.end(signal.SIGKILL)
    left = pair.queue()
    assert left["active"] + left["locked"] >= 10
    pair.host.start()
    wait_for(pair.is_idle)
    done = {json.loads(seen["body"]).get("n") for seen in pair.host.records(function="events") if "body" in seen}
    assert done >= set(range(20))
    assert pair.queue()["dead_letter"] == 0


def test_a_host_that_starts_first_waits_for_the_broker(tmp_path: Path) -> None:
    pair = Pair(tmp_path)
    assert pair.broker.end() == 0
    child = pair.host.start(ready=False)
    wait_for(lambda: "Service Bus is not reachable" in child.text())
    assert "ready" not in child.text()
    pair.start_broker()
    child.wait_ready()
    pair.close()
