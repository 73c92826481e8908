"""Every code the connector raises or writes, found in its source. `*` stands for what is only known when it runs.

A code is the first argument of an error, a note or one of the helpers that make them; the second of a `Meaning`, which
gets the system's prefix; a string that is or begins with one (`CRM_ID_NOT_FOUND: …`); or a `refusal` of the mapping
table. What a client module says again for its own system counts once, under `*_`.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from shared import errors
from shared.settings import FROM_DATAVERSE

SHARED = Path(errors.__file__).parent
_CODE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")
_SEVERAL_WORDS = re.compile(r"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:: .*)?", re.DOTALL)
_MAKERS = {name for name, value in vars(errors).items() if isinstance(value, type)} | {"DryRun", "Note"}
_NO_CODES = {*FROM_DATAVERSE, "CERT_REQUIRED"}
"""Names of settings, and a constant of Python's ssl module."""


@cache
def raised() -> frozenset[str]:
    """All codes; `*_TIMEOUT` is that code for any system, `HOST_*` a family whose ends are made at run time."""
    shared_by_all = set(_meanings(SHARED / "clients/failures.py", "*"))
    found = set(shared_by_all)
    for source in sorted(SHARED.rglob("*.py")):
        tree = ast.parse(source.read_text(encoding="utf-8"))
        found |= set(_made(tree)) | set(_named(tree))
        if source.name != "failures.py" and (prefix := _prefix(tree)):
            codes = {code: f"*_{code.removeprefix(prefix + '_')}" for code in _meanings(source, prefix)}
            found |= {code for code, common in codes.items() if common not in shared_by_all}
    tables = tomllib.loads((SHARED / "field_mapping.toml").read_text(encoding="utf-8"))
    found |= {row["refusal"] for row in tables["opportunity"] if "refusal" in row}
    return frozenset(found - _NO_CODES)


def _calls(tree: ast.AST) -> Iterator[tuple[str, list[ast.expr]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield str(getattr(node.func, "id", "") or getattr(node.func, "attr", "")), node.args


def _made(tree: ast.AST) -> Iterator[str]:
    """First arguments of errors and notes."""
    for name, arguments in _calls(tree):
        first = arguments[0] if name in _MAKERS and arguments else None
        if isinstance(first, ast.Constant) and _CODE.fullmatch(str(first.value)):
            yield str(first.value)
        elif isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant):
            yield str(first.values[0].value) + "*"


def _named(tree: ast.AST) -> Iterator[str]:
    """String constants of several words in capitals, wherever they stand but in a `Meaning`."""
    meanings = {id(arguments[1]) for name, arguments in _calls(tree) if name == "Meaning"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in meanings:
            match = _SEVERAL_WORDS.fullmatch(node.value)
            if match:
                yield match[1]


def _meanings(source: Path, prefix: str) -> Iterator[str]:
    for name, arguments in _calls(ast.parse(source.read_text(encoding="utf-8"))):
        if name == "Meaning" and isinstance(arguments[1], ast.Constant):
            yield f"{prefix}_{arguments[1].value!s}"


def _prefix(tree: ast.AST) -> str | None:
    """The prefix of a client module's own system."""
    for name, arguments in _calls(tree):
        if name == "Vendor" and arguments and isinstance(arguments[0], ast.Constant):
            return str(arguments[0].value)
    return None
