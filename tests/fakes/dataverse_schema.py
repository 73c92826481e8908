"""The tables of the Dataverse fake: columns, limits, keys and children, from the same two files as the sandbox's.

`TABLES` is read once. The files' grammar is explained in `sandbox/dataverse/standard.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_FILES = (_ROOT / "sandbox/dataverse/standard.toml", _ROOT / "infra/dataverse/schema.toml")
_STATES = [[0, "Active"], [1, "Inactive"]]
_STATUSES = [[1, 0, "Active"], [2, 1, "Inactive"]]


@dataclass(frozen=True)
class Field:
    """One column. `targets` is empty unless it is a lookup."""

    name: str
    kind: str
    max_length: int | None = None
    low: float | None = None
    high: float | None = None
    date_only: bool = False
    options: dict[int, str] = field(default_factory=dict)
    default: Any = None
    targets: tuple[str, ...] = ()
    on_delete: str = ""
    """What deleting the row a lookup points to does: Cascade or RemoveLink."""
    creatable: bool = True
    updatable: bool = True


@dataclass
class Definition:
    """One table. `children`: (referencing table, its lookup column, what deleting the parent does)."""

    name: str
    key: str
    owned: bool
    currency: bool
    fields: dict[str, Field]
    keys: list[tuple[str, ...]]
    reasons: dict[int, int]
    """Status reason → state; the first of a state is its default."""
    children: list[tuple[str, str, str]] = field(default_factory=list)

    @cached_property
    def child_columns(self) -> dict[str, str]:
        """Referencing table → its lookup column."""
        return {child: column for child, column, _ in self.children}


@cache
def tables() -> dict[str, Definition]:
    """All tables by logical name."""
    found: dict[str, Definition] = {}
    for path in _FILES:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        for name, entry in document["tables"].items():
            definition = found.get(name) or found.setdefault(name, _new(name, entry))
            for column in [*entry.get("columns", []), *([entry["primary_name"]] if "primary_name" in entry else [])]:
                new = _field({"kind": "String", **column}, document.get("options", {}))
                definition.fields[new.name] = new
            for lookup in entry.get("lookups", []):
                _add_lookup(definition, lookup)
            definition.keys += [tuple(key["columns"]) for key in entry.get("keys", [])]
    for definition in found.values():
        for name, column in definition.fields.items():
            for target in column.targets:
                if column.on_delete:
                    found[target].children.append((definition.name, name, column.on_delete))
    return found


@cache
def environment_variables() -> Mapping[str, str]:
    """The connector's variables with their defaults, by lower-case schema name."""
    document = tomllib.loads(_FILES[1].read_text(encoding="utf-8"))
    return {variable["schema_name"].lower(): variable["default"] for variable in document["environment_variables"]}


def _new(name: str, entry: dict[str, Any]) -> Definition:
    owned = entry.get("ownership", "user") == "user"
    key = entry.get("primary_id", f"{name}id")
    states = dict(entry.get("states", _STATES))
    statuses = entry.get("statuses", _STATUSES)
    system = [
        Field(key, "Uniqueidentifier", updatable=False),
        Field("statecode", "State", options=states, creatable=False),
        Field("statuscode", "Status", options={value: label for value, _, label in statuses}),
        Field("versionnumber", "BigInt", creatable=False, updatable=False),
        *(Field(moment, "DateTime", creatable=False, updatable=False) for moment in ("createdon", "modifiedon")),
        *(
            Field(user, "Lookup", targets=("systemuser",), creatable=False, updatable=False)
            for user in ("createdby", "modifiedby")
        ),
    ]
    if owned:
        system.append(Field("ownerid", "Owner", targets=("systemuser", "team")))
    if entry.get("currency"):
        system.append(Field("transactioncurrencyid", "Lookup", targets=("transactioncurrency",)))
        system.append(Field("exchangerate", "Decimal", creatable=False, updatable=False))
    reasons = {value: state for value, state, _ in statuses}
    always = entry.get("currency") == "always"
    return Definition(name, key, owned, always, {column.name: column for column in system}, [], reasons)


def _field(entry: dict[str, Any], options: dict[str, Any]) -> Field:
    writable = not entry.get("read_only", False)
    pairs = entry.get("options") or options.get(entry.get("options_of", ""), [])
    return Field(
        entry["name"].lower(),
        entry["kind"],
        entry.get("max_length"),
        entry.get("min"),
        entry.get("max"),
        entry.get("format") == "DateOnly",
        dict(pairs),
        entry.get("default"),
        creatable=writable,
        updatable=writable and not entry.get("create_only", False),
    )


def _add_lookup(definition: Definition, entry: dict[str, Any]) -> None:
    name = entry["name"].lower()
    targets = tuple(entry["targets"] if "targets" in entry else [entry["target"]])
    writable = not entry.get("read_only", False)
    definition.fields[name] = Field(
        name,
        entry.get("kind", "Lookup"),
        targets=targets,
        on_delete=entry.get("on_delete", "RemoveLink"),
        creatable=writable,
        updatable=writable and not entry.get("create_only", False),
    )
