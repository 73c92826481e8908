"""Promise P2, the way SQLite tests its transactions: the n-th port call fails, n = 1, 2, 3 … until none is left.

For each scenario, each way to fail, once and for as long as anything tries. `run` is one such run and returns what was
violated; `python -m tests.chaos.every_step` makes them all, or the one that a failure names:
`python -m tests.chaos.every_step "a seller wins" 7 death once`.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product

from tests.chaos import invariants
from tests.chaos.faults import Call, Fault, Plan
from tests.chaos.prepared import Prepared
from tests.chaos.scenarios import BY_NAME, SCENARIOS, Cast, Scenario
from tests.chaos.simulation import replay, still_waiting
from tests.chaos.world import World

FAULTS = (Fault.FAILED, Fault.LATE, Fault.LOST, Fault.DEATH)
"""An error before the effect, an error after it, a timeout after it, and the process dies."""
MODES = ("once", "lasting")
_MOST_DEATHS = 12
"""More than the deliveries of one message, which is then among the dead; for ever, copies would multiply for ever."""
_HOUR_S = 3600.0
_MOST_DELIVERIES = 200
"""Every message of a story up to the end of its ladder, with room."""


@dataclass
class OneCall:
    """Lets the `at`-th call fail; `lasting`: and every later call of the same method, until it is switched off."""

    at: int
    fault: Fault
    lasting: bool
    on: bool = False
    calls: int = 0
    method: str = ""
    """The call that was made to fail."""
    counts: Counter[str] = field(default_factory=Counter)

    def draw(self, call: Call) -> tuple[Fault, float | None] | None:
        if not self.on:
            return None
        self.calls += 1
        if self.calls == self.at:
            self.method = call.name
        elif not (self.lasting and self.method == call.name) or self.counts[Fault.DEATH] == _MOST_DEATHS:
            return None
        self.counts[self.fault.value] += 1
        return self.fault, None

    def kills(self) -> bool:
        return False


@dataclass(frozen=True)
class Outcome:
    """One run: which call failed ("" for none), what was violated, and how many calls there were before it healed."""

    method: str
    violations: tuple[str, ...]
    calls: int


def run(scenario: Scenario, at: int, fault: Fault, mode: str) -> Outcome:
    """The scenario with its `at`-th call failing; then everything works again and must heal."""
    plan = OneCall(at, fault, lasting=mode == "lasting")
    cast, world = _prepared(scenario.name).again(lambda: _world(scenario, plan))
    with world.log:
        plan.on = True
        cast.play_all(scenario.deeds)
        world.drain(_MOST_DELIVERIES)
        plan.on = False
        violations = tuple(dict.fromkeys(_healed(world, plan, by_sweep=scenario.by_sweep)))
        return Outcome(plan.method, violations, plan.calls)


def _world(scenario: Scenario, plan: Plan | None = None) -> World:
    """Without the client's own quick tries: every failure is the handler's."""
    return World(scenario.name, plan, quick_tries=1, **scenario.policies)


@cache
def _prepared(name: str) -> Prepared[Cast]:
    """What was there before, at rest."""
    scenario = BY_NAME[name]
    world = _world(scenario)
    cast = Cast(world)
    cast.play_all(scenario.before)
    world.drain()
    return Prepared(cast, world)


def _healed(world: World, plan: OneCall, *, by_sweep: bool) -> Iterator[str]:
    """What is wrong once the parked is replayed and, where nothing else can help, the next sweep has run.

    After one failure neither may be needed: the sweep then only looks, and must find nothing to write.
    """
    yield from invariants.parked(world)
    world.ports.restart()
    parked = replay(world)
    if parked and not plan.lasting:
        yield f"I8: {parked} messages were set aside after a single failure"
    world.drain()
    if plan.lasting or by_sweep:
        _next_sweep(world)
    yield from invariants.check(world)
    yield from still_waiting(world)
    before = len(world.journal.writes)
    _next_sweep(world)
    more = world.journal.writes[before:]
    if more:
        yield f"I3: one more reconciliation made {len(more)} writes: {'; '.join(more[:3])}"
    yield from world.journal.violations


def _next_sweep(world: World) -> None:
    world.clock.advance(_HOUR_S)
    world.sweep()
    world.drain()


@dataclass
class Tally:
    """Runs of one scenario, and those that violated something."""

    runs: int = 0
    failures: list[str] = field(default_factory=list)


def every_step(scenario: Scenario) -> Tally:
    """All runs of one scenario, and one in which nothing fails."""
    tally = Tally()
    for at, fault, mode in ((0, FAULTS[0], MODES[0]), *product(range(1, calls(scenario) + 1), FAULTS, MODES)):
        outcome = run(scenario, at, fault, mode)
        tally.runs += 1
        if outcome.violations or bool(outcome.method) != bool(at):
            tally.failures.append(described(scenario, at, fault, mode, outcome))
    return tally


def calls(scenario: Scenario) -> int:
    """Port calls of the scenario when nothing fails."""
    return run(scenario, 0, FAULTS[0], MODES[0]).calls


def described(scenario: Scenario, at: int, fault: Fault, mode: str, outcome: Outcome) -> str:
    """A failure in words, beginning with the arguments that repeat it."""
    again = f'"{scenario.name}" {at} {fault.value} {mode}'
    return "\n  ".join([f"{again} ({outcome.method or 'no call failed'})", *outcome.violations])


def main(arguments: Sequence[str]) -> int:
    """All runs, those of one scenario, or one run; 1 when anything was violated."""
    logging.basicConfig(level=logging.CRITICAL)
    if len(arguments) == 4:
        name, at, fault, mode = arguments
        outcome = run(BY_NAME[name], int(at), Fault(fault), mode)
        print(described(BY_NAME[name], int(at), Fault(fault), mode, outcome))  # noqa: T201 - a command
        return int(bool(outcome.violations))
    runs, failures = 0, 0
    for scenario in [BY_NAME[name] for name in arguments] or SCENARIOS:
        tally = every_step(scenario)
        runs, failures = runs + tally.runs, failures + len(tally.failures)
        print("\n".join([f"{scenario.name}: {tally.runs} runs", *tally.failures]), flush=True)  # noqa: T201 - a command
    print(f"every step: {runs} runs, {failures} violated something")  # noqa: T201 - a command
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
