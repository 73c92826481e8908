"""Promise P6: Partner Center is down for hours while changes queue up; then it works again, and all is brought over.

The ladder and the limiter are the product's own, four workers as in `host.json`; a worker that waits for the rate lets
the others work, as a thread does. `python -m tests.chaos.outage 5000 12` plays 5,000 changes and twelve hours.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # the package ships no types

from shared.domain.opportunity import SOLUTION_TABLE
from shared.ports import Lookup
from tests.chaos.faults import Call, Fault
from tests.chaos.scenarios import Cast
from tests.chaos.world import World
from tests.fakes.clock import START, VirtualClock
from tests.fakes.service_bus import Message

CALLS_PER_MINUTE = 80
_WORKERS = 4
_TICK_S = 2e-6
"""Moments have microseconds."""
_ENOUGH = 60
"""Deliveries per change, echoes included, after which it counts as a loop."""
_OF_A_DEAL = ("name", "type", "qualification", "customerProfile", "consent", "details", "team", "target")


@dataclass
class Down:
    """Partner Center answers nothing but 503, or not at all, until it works again; every call is noted."""

    clock: VirtualClock | None = None
    until: datetime = START
    calls: list[float] = field(default_factory=list)
    """When Partner Center was called, in seconds."""
    counts: Counter[str] = field(default_factory=Counter)

    def draw(self, call: Call) -> tuple[Fault, float | None] | None:
        if call.port != "partner_center" or self.clock is None:
            return None
        self.calls.append(self.clock.monotonic())
        if self.clock() >= self.until:
            return None
        fault = Fault.FAILED if len(self.calls) % 2 else Fault.REFUSED
        self.counts[fault.value] += 1
        return fault, None

    def kills(self) -> bool:
        return False


class Naps:
    """Sleeping as threads do it: who is awake goes on, and time passes when nobody is."""

    def __init__(self, world: World) -> None:
        self._clock, self._host = world.clock, world.host
        self._asleep: dict[greenlet, float] = {}

    def sleep(self, seconds: float) -> None:
        me, until = getcurrent(), self._clock.monotonic() + max(seconds, 2 * _TICK_S)
        self._asleep[me] = until
        while (now := self._clock.monotonic()) < until - _TICK_S:
            next_s = min(self._asleep.values()) - now
            if next_s > _TICK_S and len(self._asleep) == self._host.running:
                self._clock.advance(next_s)
            else:
                self._host.switch()
        del self._asleep[me]


@dataclass(frozen=True)
class Outcome:
    """What came of an outage."""

    changes: int
    arrived: int
    parked: int
    most_deliveries: int
    """Of one message, from its first to its last try."""
    most_calls: int
    """In any minute."""
    calls_while_down: int
    recovered_s: float
    """From the end of the outage until the last change had arrived."""
    told: Mapping[int, int]
    """How often a seller read of the delay → on how many deals."""
    violations: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.changes} changes, {self.arrived} arrived, {self.parked} parked; one message was delivered"
            f" {self.most_deliveries} times at most; {self.most_calls} calls in the fullest minute,"
            f" {self.calls_while_down} while it was down; all there {self.recovered_s / 60:.0f} min after its end"
        )


def run(changes: int, hours: float, calls_per_minute: int = CALLS_PER_MINUTE) -> Outcome:
    """Each change on a deal of its own."""
    down = Down()
    world = World("outage", down, at_once=_WORKERS)
    world.ports.sleep = Naps(world).sleep
    world.ports.calls_per_minute["partner_center"] = calls_per_minute
    world.ports.restart()
    deals = _deals(world, changes)
    down.clock, down.until = world.clock, world.clock() + timedelta(hours=hours)
    deliveries = _counted(world)
    seller = world.dataverse.as_user()
    for number, row_id in enumerate(deals):
        seller.update("opportunity", row_id, {"estimatedvalue": Decimal(20_000 + number)}, None)
    world.drain(_ENOUGH * changes)
    rows = world.dataverse.rows.all("opportunity")
    values = {d["externalReferenceId"]: d["details"]["dealValue"] for d in world.center.documents.values()}
    end = down.until.timestamp()
    return Outcome(
        changes=changes,
        arrived=sum(values[row_id] == rows[row_id]["estimatedvalue"] == 20_000 + n for n, row_id in enumerate(deals)),
        parked=len(world.parked) + len(world.queues.dead),
        most_deliveries=max(deliveries.values()),
        most_calls=_fullest_minute(down.calls),
        calls_while_down=sum(at < end for at in down.calls),
        recovered_s=down.calls[-1] - end,
        told=Counter(str(row["cosell_audit"]).count("SYNC_DELAYED") for row in rows.values()),
        violations=tuple(world.journal.violations),
    )


def _deals(world: World, count: int) -> list[str]:
    """Shared deals at rest: one made by the flows, the others like it."""
    Cast(world).play_all(("private_deal", "rest"))
    ((first, row),) = world.dataverse.rows.all("opportunity").items()
    ((_, document),) = world.center.documents.items()
    ((_, solution),) = world.dataverse.rows.all(SOLUTION_TABLE).items()
    world.feeds.deaf = True
    made = [first]
    for number in range(1, count):
        row_id = f"{number:08x}-0000-4000-8000-000000000000"
        body = {name: document[name] for name in _OF_A_DEAL}
        referral = world.center.create({**body, "externalReferenceId": row_id})
        state = str(row["cosell_syncstate"]).replace(document["id"], referral.id)
        linked = {
            "cosell_referralidentifier": referral.id,
            "cosell_syncstate": state.replace(document["engagementId"], referral.engagement_id or ""),
            "cosell_engagementidentifier": referral.engagement_id,
        }
        world.dataverse.rows.put("opportunity", row_id, {**row, **linked, "opportunityid": row_id})
        child = row_id.replace("4000", "4001")
        values = {"cosell_opportunityid": Lookup("opportunity", row_id), "cosell_opportunitysolutionid": child}
        world.dataverse.rows.put(SOLUTION_TABLE, child, {**solution, **values})
        made.append(row_id)
    world.feeds.deaf = False
    return made


def _counted(world: World) -> Counter[tuple[str, str]]:
    """Deliveries by queue and correlation, which the copies of a message share."""
    counts: Counter[tuple[str, str]] = Counter()
    inner = world.host.run

    def run_counted(message: Message) -> None:
        known = json.loads(message.body)
        counts[message.queue, known.get("correlationId") or known["CorrelationId"]] += 1
        inner(message)

    world.host.run = run_counted
    return counts


def _fullest_minute(calls: Sequence[float]) -> int:
    most = first = 0
    for last, at in enumerate(calls):
        while calls[first] <= at - 60 + 1e-3:
            first += 1
        most = max(most, last - first + 1)
    return most


def main(arguments: Sequence[str]) -> int:
    """Changes and hours; 1 when a promise is broken."""
    logging.basicConfig(level=logging.CRITICAL)
    changes, hours = (int(arguments[0]), float(arguments[1])) if arguments else (5000, 12.0)
    outcome = run(changes, hours)
    print(f"down for {hours:g} h: {outcome}", *outcome.violations, sep="\n  ")  # noqa: T201 - a command
    return int(not kept(outcome))


def kept(outcome: Outcome, calls_per_minute: int = CALLS_PER_MINUTE) -> bool:
    """Whether this outage was survived as promised."""
    return (
        outcome.arrived == outcome.changes
        and outcome.parked == 0
        and outcome.most_deliveries <= 10
        and outcome.most_calls <= calls_per_minute
        and max(outcome.told) <= 1
        and not outcome.violations
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
