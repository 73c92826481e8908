"""`python -m tests.kills --kills 54`: promise P3 on a sandbox of its own. Exit status 1 when anything is wrong."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path

from tests.acceptance.world import World
from tests.kills.rounds import Kills
from tests.kills.steps import STEPS, Step


def main() -> int:
    """One line for each kill, then the sums."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.kills", description="Kill the running system at named steps."
    )
    parser.add_argument("--kills", type=int, metavar="N", help="how many (default: each step once)")
    parser.add_argument("--only", default="", metavar="WORDS", help="steps with these words in their name")
    options = parser.parse_args()
    steps = [step for step in STEPS if options.only in step.words]
    if not steps:
        parser.error("no step has these words in its name")
    with tempfile.TemporaryDirectory(prefix="kills-") as directory:
        world = World(Path(directory), {"PROFILE": "extended"})
        world.start()
        try:
            return _run(Kills(world), list(islice(cycle(steps), options.kills or len(steps))))
        finally:
            world.stop()


def _run(kills: Kills, steps: list[Step]) -> int:
    took = []
    for number, step in enumerate(steps, 1):
        found = kills.at(step)
        took.append(kills.seconds)
        print(f"{number:3}  {step.words:<64} {'as promised' if not found else 'WRONG'}", flush=True)
        for sentence in (*found.lost, *found.doubled):
            print(f"       {sentence}", flush=True)
    writes = kills.another_look()
    lost, doubled = len(kills.found.lost), len(kills.found.doubled)
    for one in writes:
        print(f"     wrote again: {one['method']} {one['path']}")
    print(
        f"{kills.kills} kills, {len(kills.pairs)} deals, {lost} lost, {doubled} doubled, "
        f"{len(writes)} writes in one more comparison; dead for {statistics.median(took):.1f} s (median)"
    )
    return 1 if kills.found or writes else 0


if __name__ == "__main__":
    sys.exit(main())
