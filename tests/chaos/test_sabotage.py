"""The simulation notices each thing that is broken on purpose, and the command ends as the documents say."""

from __future__ import annotations

import re

import pytest

from tests.chaos import sabotage
from tests.chaos.__main__ import main

ENOUGH = dict.fromkeys(sabotage.ALL, 400)


@pytest.mark.parametrize("name", sabotage.ALL)
def test_what_is_broken_on_purpose_is_noticed(name: str) -> None:
    assert sabotage.run(name, "1", events=ENOUGH[name]).violations != ()


def test_the_command_counts_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2", "--events", "60", "--first", "3"]) == 0
    *seeds, last = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in seeds] == ["seed 3", "seed 4"]
    assert re.fullmatch(r"seeds=2 events=\d+ violations=0( \w+=\d+)+", last)


def test_the_command_shows_the_shortest_steps_of_a_failing_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "1", "--events", "60", "--sabotage", "skip-sweep"]) == 1
    assert "Seed 1 fails:" in capsys.readouterr().out
