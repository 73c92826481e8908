"""Timers of the Functions host: by hand, at start, on schedule, and past due after the host was away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.host.timer_trigger import next_due
from tests.sandbox.host_process import Host, wait_for

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("host-http")]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host("web", tmp_path_factory.mktemp("host-timer"), TIMER_SCHEDULE="0 0 3 * * *")
    host.start()
    yield host
    assert host.child.end() == 0, host.child.text()


def test_a_timer_runs_by_hand_and_the_caller_may_wait(host: Host) -> None:
    assert host.ask("POST", "/admin/functions/nightly?wait=true", key=True).status_code == 200
    (record,) = host.records(function="nightly")
    assert record["past_due"] is False
    assert record["status"]["Next"].endswith("T03:00:00+00:00")
    assert host.ask("POST", "/admin/functions/nightly", key=True, json={"input": ""}).status_code == 202
    wait_for(lambda: host.counts("nightly")["succeeded"] == 2)


def test_run_on_startup(host: Host) -> None:
    wait_for(lambda: host.records(function="at_start", past_due=False))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/admin/functions/nowhere", b"{}", 404),
        ("/admin/functions/keyed", b"{}", 400),
        ("/admin/functions/nightly", b"{", 400),
        ("/admin/functions/nightly", b"[]", 400),
    ],
)
def test_what_cannot_be_started_by_hand(host: Host, path: str, body: bytes, status: int) -> None:
    assert host.ask("POST", path, key=True, data=body).status_code == status
    assert host.ask("POST", path, data=body).status_code == 401


def test_a_timer_runs_on_schedule_and_remembers_what_was_due_while_the_host_was_away(tmp_path: Path) -> None:
    host = Host("web", tmp_path, TIMER_SCHEDULE="* * * * * *")
    host.start()
    wait_for(lambda: len(host.records(function="nightly", past_due=False)) >= 2)
    assert host.child.end() == 0
    memory = tmp_path / "host-timers.json"
    times = json.loads(memory.read_text())
    times["nightly"]["due"] = "2026-01-01T00:00:00+00:00"
    memory.write_text(json.dumps(times))
    host.start()
    wait_for(lambda: host.records(function="nightly", past_due=True))
    assert host.child.end() == 0


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("0 */5 * * * *", "2026-03-01T10:05:00+00:00"),
        ("*/10 * * * * *", "2026-03-01T10:02:40+00:00"),
        ("0 30 2 * * Mon-Fri", "2026-03-02T02:30:00+00:00"),
        ("0 0 0 13 * Fri", "2026-03-13T00:00:00+00:00"),
        ("0 0 0 14 * Fri", "2026-08-14T00:00:00+00:00"),
    ],
)
def test_schedules_have_seconds_first(schedule: str, due: str) -> None:
    assert next_due(schedule, datetime(2026, 3, 1, 10, 2, 30, tzinfo=UTC)) == datetime.fromisoformat(due)
