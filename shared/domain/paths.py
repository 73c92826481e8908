"""Walking to a property by its path in the mapping table, on the model to read and on a document to write.

`details.dealValue`, `customerProfile.team[0].email` (a place in a list) and `…attributes[SolutionArea]` (the entry of
that type among the additional requirements). Reading an absent or odd place gives None.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

from pydantic import BaseModel

_STEP = re.compile(r"(\w+)(?:\[([\w ]+)\])?")


def reach(source: Any, path: str) -> Any:
    """The value at `path`, or None."""
    if straight := _straight(source.__class__, path):
        return straight(source)
    value = source
    for name, key in _steps(path):
        value = _member(value, name)
        if key and value is not None:
            value = _entry(value, key)
        if value is None:
            return None
    return value


def place(document: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at `path` in a JSON document, making objects on the way; `[Type]` appends `{type, id}`."""
    *parents, last = _steps(path)
    target = document
    for name, _ in parents:
        target = target.setdefault(name, {})
    name, key = last
    if key:
        target.setdefault(name, []).append({"type": key, "id": value})
    else:
        target[name] = value


def _member(value: Any, name: str) -> Any:
    field = _attribute(value.__class__, name)
    if field is not None:
        return getattr(value, field)
    if isinstance(value, BaseModel):
        value = value.model_extra
    if isinstance(value, dict):
        wanted = name.lower()
        return next((content for key, content in value.items() if str(key).lower() == wanted), None)
    return None


@cache
def _straight(kind: Any, path: str) -> Callable[[Any], Any] | None:
    """How to come to `path` where all on the way are declared members of models, as on most paths; lists at the end."""
    way: list[str] = []
    key = ""
    for name, wanted in _steps(path):
        field = _attribute(kind, name) if isinstance(kind, type) and not key else None
        if field is None:
            return None
        way.append(field)
        key, kind = wanted, kind.model_fields[field].annotation
    member = attrgetter(".".join(way))
    return (lambda source: _entry(member(source), key)) if key else member


@cache
def _steps(path: str) -> list[tuple[str, str]]:
    """Member and key of each step; paths come from the mapping table, so there are few."""
    return _STEP.findall(path)


@cache
def _attribute(kind: type, member: str) -> str | None:
    """The attribute that holds a member, however JSON spells it; None for what is no model or has none."""
    fields = kind.model_fields if issubclass(kind, BaseModel) else {}
    names = ((info.alias or field, field) for field, info in fields.items())
    return next((field for name, field in names if name.lower() == member.lower()), None)


def _entry(value: Any, key: str) -> Any:
    if not isinstance(value, list):
        return None
    if key.isdigit():
        return value[int(key)] if int(key) < len(value) else None
    wanted = (item for item in value if str(_member(item, "type") or "").lower() == key.lower())
    found = next(wanted, None)
    return _member(found, "id") if found is not None else None
