"""The simulation notices each thing that is broken on purpose, and the command ends as the documents say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.chaos import found, sabotage
from tests.chaos.__main__ import main


@pytest.mark.parametrize("name", sabotage.ALL)
def test_what_is_broken_on_purpose_is_noticed(name: str) -> None:
    """By one of the first of these short runs; by which depends on every call the product makes."""
    assert any(sabotage.run(name, str(seed), events=100).violations for seed in range(1, 41))


def test_the_command_counts_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2", "--events", "60", "--first", "3"]) == 0
    *seeds, last = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in seeds] == ["seed 3", "seed 4"]
    assert re.fullmatch(r"seeds=2 events=\d+ violations=0( \w+=\d+)+", last)


def test_the_command_shows_the_fewest_steps_of_a_failing_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "case.json"
    arguments = ["--seeds", "1", "--events", "12", "--sabotage", "no-base", "--save", str(file)]
    assert main(arguments) == 1
    told = capsys.readouterr().out
    assert "Seed 1 fails:\n  I" in told
    assert "These steps and faults are enough" in told
    assert "cosell.delivery" in told
    assert re.search(r"^seeds=1 events=\d+ violations=[1-9]", told, re.MULTILINE)
    case = found.load(file)
    assert 0 < len(case.steps) < 12
    assert case.why in told
    again = sabotage.run(case.world, case.seed, steps=case.steps, kinds=case.faults)
    assert case.why in again.violations
