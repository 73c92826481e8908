"""The page of proofs says which tests there are, no behaviour is without one, and none of them is excused."""

from __future__ import annotations

import re
from functools import cache

from tests.acceptance import table

BOTH_PROFILES = frozenset(
    f"AT-{group}{number:02}"
    for group, numbers in {
        "A": (1, 2, 3),
        "B": (*range(1, 9), 10, 13, 18, 19, 20),
        "C": range(1, 10),
        "D": (1, 2, 3, 5, 6, 7, *range(9, 14)),
        "E": (1, 2, *range(4, 10), 11, 12),
        "F": (1, 2),
    }.items()
    for number in numbers
)
"""What must also hold with exactly what Microsoft's own connector updates."""


@cache
def collected() -> list[table.Proof]:
    return table.collected()[0]


def test_every_behaviour_has_a_test_and_no_test_an_unknown_id() -> None:
    assert len(table.IDS) == 103
    assert {proof.id for proof in collected()} == set(table.IDS)


def test_no_test_is_excused() -> None:
    assert [proof.name for proof in collected() if proof.excused] == []


def test_every_test_says_what_it_shows() -> None:
    assert [proof.name for proof in collected() if len(proof.shows.split()) < 5] == []


def test_what_must_hold_in_both_profiles_is_tested_in_both() -> None:
    both = {proof.id for proof in collected() if proof.profiles == ("extended", "parity")}
    assert both >= BOTH_PROFILES


def test_the_page_lists_exactly_the_tests_there_are() -> None:
    written = (table.ROOT / table.PAGE).read_text(encoding="utf-8")
    assert written == table.page(collected()), "run: make acceptance"
    rows = re.findall(r"^\| (AT-\w+) \| .+`::(\w+)` \|", written, re.MULTILINE)
    assert rows == [(proof.id, proof.name) for proof in collected()]
