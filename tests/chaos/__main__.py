"""`make chaos`: promise P1 on many seeds, on all cores; a seed that fails is shown with the fewest steps that fail.

One line per seed, and a last line that counts seeds, events, violations and every kind of fault injected. Exit status:
0 nothing was violated, 1 something was, 2 wrong usage. What a run is stands in `simulation`, what is broken on purpose
in `sabotage`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import Counter
from pathlib import Path

from tests.chaos import found, pool, sabotage, shrink
from tests.chaos.simulation import Result

_SHOWN = 40
"""Log lines shown of a failing run."""


def main(arguments: list[str] | None = None) -> int:
    """Run the seeds that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Promise P1: survives chaos.")
    parser.add_argument("--seeds", type=_positive, default=20, metavar="N", help="how many seeds (default: 20)")
    parser.add_argument("--first", type=_positive, default=1, metavar="N", help="the first seed (default: 1)")
    parser.add_argument(
        "--events", type=_positive, default=10_000, metavar="N", help="events per seed (default: 10000)"
    )
    worlds = parser.add_mutually_exclusive_group()
    worlds.add_argument("--sabotage", dest="world", choices=sorted(sabotage.ALL), help="break the connector on purpose")
    worlds.add_argument(
        "--no-sweep",
        dest="world",
        action="store_const",
        const=sabotage.NO_SWEEP,
        help="neither drop an event nor sweep: what was told must be enough",
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the fewest steps that fail as a test case")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    seeds = range(options.first, options.first + options.seeds)
    failed: list[Result] = []
    events, violations, injected = 0, 0, Counter[str]()
    for result, took_s in pool.results([str(seed) for seed in seeds], options.events, options.world):
        print(_line(result, took_s), flush=True)
        events, violations = events + result.events, violations + len(result.violations)
        injected += result.injected
        failed += [result] if result.violations else []
    if failed:
        _explain(failed[0], options.world, options.save)
    counts = " ".join(f"{kind}={count}" for kind, count in sorted(injected.items()))
    print(f"seeds={options.seeds} events={events} violations={violations} {counts}")
    return 1 if failed else 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _line(result: Result, took_s: float) -> str:
    done, faults = result.done, sum(result.injected.values())
    return (
        f"seed {result.seed}: {result.events:,} events, {done['deliveries']:,} deliveries, {done['writes']:,} writes, "
        f"{faults:,} faults, {took_s:.1f} s, {len(result.violations)} violations"
    )


def _explain(result: Result, world: str | None, save: Path | None) -> None:
    """What a failing seed violated, the fewest steps that still violate it, and the log of that run."""
    print(f"\nSeed {result.seed} fails:")
    print(*(f"  {sentence}" for sentence in result.violations), sep="\n")
    print(f"Looking for fewer steps than its {len(result.steps):,} that fail …", flush=True)
    case, last = shrink.shortest(result, world)
    faults = ", ".join(case.faults) or "none"
    print(f"These steps and faults are enough ({len(case.steps)} of {len(result.steps):,}; {faults}):")
    print(*(f"  {step}" for step in case.steps), sep="\n")
    print("What they violate:")
    print(*(f"  {sentence}" for sentence in last.violations), sep="\n")
    print("The last lines of that run's log:")
    print(*(f"  {line}" for line in list(last.log)[-_SHOWN:]), sep="\n")
    if save:
        found.save(case, save)
        print(f"Kept in {save}.")
    print()


if __name__ == "__main__":
    sys.exit(main())
