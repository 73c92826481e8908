"""Timers: six-field schedules in UTC, one run at a time per function, and the memory of when each is due next.

The due times are kept in the state directory, as the real host keeps them in storage: a run that fell due while the
host was down happens at once on start, marked past due.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from croniter import croniter

from sandbox.host.invocations import Invocations
from sandbox.host.runtime import Datum
from sandbox.host.triggers import Function, TimerTrigger

LONGEST_SLEEP_S = 30.0
"""Bounds how late a timer can be after the machine slept or its clock moved."""


def next_due(schedule: str, after: datetime) -> datetime:
    """The first time strictly after `after` (aware) that the schedule names; day and weekday must both fit."""
    due: datetime = croniter(schedule, after, day_or=False, second_at_beginning=True).get_next(datetime)
    return due


def datum(last: datetime | None, due: datetime, now: datetime) -> Datum:
    """What a timer function is given; past due means more than a second late."""
    status = {
        "Last": (last or datetime.min.replace(tzinfo=UTC)).isoformat(),
        "Next": due.isoformat(),
        "LastUpdated": now.isoformat(),
    }
    late = (now - due).total_seconds() > 1
    return Datum(json.dumps({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": late}), "json")


class DueTimes:
    """Function name → when it last ran and when it is due, durable in one small file. For one process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._times: dict[str, dict[str, str | None]] = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # none yet, or not ours: schedules start afresh
            self._times = {}

    def get(self, name: str, trigger: TimerTrigger, now: datetime) -> tuple[datetime | None, datetime]:
        """Last run and due time; a schedule that is new or changed starts afresh."""
        kept = self._times.get(name, {})
        last, due = kept.get("last"), kept.get("due")
        if kept.get("schedule") != trigger.schedule or not due:
            return None, next_due(trigger.schedule, now)
        return (datetime.fromisoformat(last) if last else None), datetime.fromisoformat(due)

    def put(self, name: str, trigger: TimerTrigger, last: datetime | None, due: datetime) -> None:
        self._times[name] = {
            "schedule": trigger.schedule,
            "last": last.isoformat() if last else None,
            "due": due.isoformat(),
        }
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(self._times, indent=1), encoding="utf-8")
        draft.replace(self._path)


async def tick(
    function: Function, trigger: TimerTrigger, invocations: Invocations, times: DueTimes, stop: asyncio.Event
) -> None:
    """Run one timer until `stop`; a run that has begun is finished first."""
    last, due = times.get(function.name, trigger, datetime.now(UTC))
    at_once = trigger.run_on_startup
    while True:
        times.put(function.name, trigger, last, due)
        if not at_once and not await _reached(due, stop):
            return
        now = datetime.now(UTC)
        await invocations.call(function, datum(last, now if at_once else due, now), {})
        last, at_once = now, False
        due = next_due(trigger.schedule, datetime.now(UTC))


async def _reached(due: datetime, stop: asyncio.Event) -> bool:
    """Sleep until `due`; False when the host stops first."""
    while not stop.is_set() and (left_s := (due - datetime.now(UTC)).total_seconds()) > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), min(left_s, LONGEST_SLEEP_S))
    return not stop.is_set()
