"""Runs that once failed, as data: the fewest steps, the faults that were needed, and what was wrong. One file each.

`python -m tests.chaos --save FILE` writes one; `test_found` plays them all again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.people import Step

FOLDER = Path(__file__).parent / "found"


@dataclass(frozen=True)
class Case:
    """One run. `faults`: the kinds that happen, at their rates; `why`: what was wrong, for whoever reads the file.

    `world`: the world it runs in, as `sabotage.run` knows them; None is the usual one.
    """

    seed: str
    faults: tuple[str, ...]
    steps: tuple[Step, ...]
    why: str = ""
    world: str | None = None


def save(case: Case, file: Path) -> None:
    steps = ",\n".join(f"  {json.dumps([s.number, s.deed, s.whom, s.wait_s])}" for s in case.steps)
    head = {"why": case.why, "seed": case.seed, "world": case.world, "faults": list(case.faults)}
    lines = [f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}," for name, value in head.items()]
    file.write_text("{\n" + "\n".join(lines) + f'\n "steps": [\n{steps}\n ]\n}}\n', encoding="utf-8")


def load(file: Path) -> Case:
    document = json.loads(file.read_text(encoding="utf-8"))
    steps = tuple(Step(*step) for step in document["steps"])
    return Case(document["seed"], tuple(document["faults"]), steps, document["why"], document["world"])
