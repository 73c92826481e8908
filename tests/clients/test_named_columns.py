"""A refusal names the columns it is about, and nothing else of what the vendor said."""

from __future__ import annotations

import pytest

from shared.clients import failures
from shared.clients.dataverse import DATAVERSE
from shared.clients.wire import Problem
from shared.errors import DataProblem


def _sentence(message: str, status: int = 400) -> str:
    error = failures.from_answer(Problem(status, "0x80040265", message), DATAVERSE, repeatable=True)
    assert isinstance(error, DataProblem)
    return error.sentence


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("The column new_contractkind must have a value before the record can be saved.", "new_contractkind"),
        ("Attribute 'cr4f2_region_code' cannot be NULL", "cr4f2_region_code"),
        ("new_a and new_b, then new_a again", "new_a, new_b"),
    ],
)
def test_columns_are_named(message: str, named: str) -> None:
    assert _sentence(message).endswith(f" It names {named}.")


@pytest.mark.parametrize(
    "message",
    [
        "Ada Lind of Contoso was refused",
        "ada_lind@contoso.example is not allowed",
        "ada_lind.x@contoso.example is not allowed",
        "mail@ada_lind.example is not allowed",
        "New_Region is missing",
        "the value __ is odd",
        "",
    ],
)
def test_nothing_else_is_quoted(message: str) -> None:
    assert _sentence(message).endswith("refused the change.")
