"""From a run that fails to one that can be read: fewer kinds of fault, fewer steps, the same invariant still broken.

Deterministic: it is bounded by steps played, not by time. The looking itself (halves, quarters, …, single steps) is
`simulation.shortest`; here stand the cheap cuts before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos import sabotage
from tests.chaos.faults import Rates
from tests.chaos.found import Case
from tests.chaos.people import Step
from tests.chaos.simulation import Result
from tests.chaos.simulation import shortest as fewest

_PATIENCE = 60_000
"""Steps played before the shortest list so far is taken."""


@dataclass
class _Search:
    """One search; remembers the last run that failed."""

    failed: Result
    broken: str | None
    faults: tuple[str, ...] = Rates().kinds
    played: int = 0
    wanted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.wanted = _invariants(self.failed)

    def fails(self, steps: Sequence[Step], faults: tuple[str, ...] | None = None) -> bool:
        """Whether one of the invariants is broken here too; False once patience is gone."""
        if self.played > _PATIENCE:
            return False
        self.played += len(steps)
        kinds = self.faults if faults is None else faults
        result = sabotage.run(self.broken, self.failed.seed, steps=steps, kinds=kinds)
        if not self.wanted & _invariants(result):
            return False
        self.failed, self.faults = result, kinds
        return True


def shortest(result: Result, broken: str | None = None) -> tuple[Case, Result]:
    """The fewest steps found for a failing run, and what became of them."""
    search = _Search(result, broken)
    steps = list(result.steps)
    while len(steps) > 1 and search.fails(steps[: len(steps) // 2]):
        steps = steps[: len(steps) // 2]
    for kind in Rates().kinds:
        search.fails(steps, tuple(k for k in search.faults if k != kind))
    steps = fewest(result.seed, steps, search.fails)
    for kind in search.faults:
        search.fails(steps, tuple(k for k in search.faults if k != kind))
    why = search.failed.violations[0] if search.failed.violations else ""
    return Case(result.seed, search.faults, tuple(steps), why, broken), search.failed


def _invariants(result: Result) -> set[str]:
    return {sentence.partition(":")[0] for sentence in result.violations}
