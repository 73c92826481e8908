"""Every run that once violated an invariant, shortened and played again."""

from __future__ import annotations

import pytest

from tests.chaos import found, sabotage
from tests.chaos.found import Case

CASES = sorted(found.FOLDER.glob("*.json"))


@pytest.mark.parametrize("case", [found.load(file) for file in CASES], ids=[file.stem for file in CASES])
def test_what_was_found_stays_repaired(case: Case) -> None:
    result = sabotage.run(case.world, case.seed, steps=case.steps, kinds=case.faults)
    assert result.violations == ()
