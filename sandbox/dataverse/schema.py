"""What the environment knows of its tables: columns, lookups, keys and relationships, as frozen models.

A `Schema` is loaded from two files of one grammar (`definitions`), kept as JSON in the store and changed only by
metadata writes. It judges nothing: values are checked in `values`, requests in `rows` and `query`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_NAMESPACE = uuid.UUID("6f1c5b8e-3f0a-4d7e-9a53-0d3c1f2b7a10")
LOOKUPS = frozenset({"Lookup", "Customer", "Owner"})
CHOICES = frozenset({"Picklist", "State", "Status"})
NUMBERS = frozenset({"Integer", "BigInt", "Decimal", "Double", "Money"})
TEXTS = frozenset({"String", "Memo", "EntityName"})


@cache
def stable_id(*parts: str) -> str:
    """The same GUID for the same parts, so that a reset environment has the ids it had before."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


class Option(BaseModel):
    """One value of a choice; `state` only for status reasons."""

    model_config = ConfigDict(frozen=True)

    value: int
    label: str
    state: int | None = None


class Column(BaseModel):
    """One column. `kind` is the AttributeType, with `MultiSelectPicklist` for what metadata call `Virtual`."""

    model_config = ConfigDict(frozen=True)

    name: str
    schema_name: str
    kind: str
    label: str
    max_length: int | None = None
    min: float | None = None
    max: float | None = None
    precision: int | None = None
    format: str | None = None
    behavior: str | None = None
    options: tuple[Option, ...] = ()
    option_set: str | None = None
    """Name of the global choice the options come from."""
    default: Any = None
    required: bool = False
    creatable: bool = True
    updatable: bool = True
    readable: bool = True
    custom: bool = False
    targets: tuple[str, ...] = ()
    navigation: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Navigation name, case-sensitive → tables a value under that name may point to. Lookups only."""
    metadata_id: str = ""
    visible_at: float = 0.0
    """Simulated time (epoch seconds) from which the data API knows a new column."""

    @property
    def is_lookup(self) -> bool:
        return self.kind in LOOKUPS

    @property
    def date_only(self) -> bool:
        return self.kind == "DateTime" and self.format == "DateOnly"

    @property
    def property_name(self) -> str:
        """The name under which the Web API shows it."""
        return f"_{self.name}_value" if self.is_lookup else self.name

    def option_label(self, value: int) -> str | None:
        return next((option.label for option in self.options if option.value == value), None)


class Key(BaseModel):
    """An alternate key; usable from `active_at` (epoch seconds of the simulated clock)."""

    model_config = ConfigDict(frozen=True)

    name: str
    schema_name: str
    columns: tuple[str, ...]
    metadata_id: str
    active_at: float = 0.0
    failed: bool = False


class Relationship(BaseModel):
    """One to many: rows of `referencing` point by `column` to rows of `referenced`; `schema_name` is the collection."""

    model_config = ConfigDict(frozen=True)

    schema_name: str
    referenced: str
    referencing: str
    column: str
    on_delete: str = "RemoveLink"
    metadata_id: str = ""


class Table(BaseModel):
    """One table; `currency` says when a row gets one: "always", with "money" values, or never (None)."""

    model_config = ConfigDict(frozen=True)

    name: str
    schema_name: str
    set_name: str
    label: str
    label_plural: str
    primary_id: str
    primary_name: str | None
    columns: dict[str, Column]
    keys: tuple[Key, ...] = ()
    ownership: str = "user"
    currency: str | None = None
    custom: bool = False
    change_tracking: bool = True
    metadata_id: str = ""

    def column_of_property(self, name: str) -> Column | None:
        """The column behind a Web API property such as `name` or `_customerid_value`."""
        if name.startswith("_") and name.endswith("_value"):
            column = self.columns.get(name[1:-6])
            return column if column is not None and column.is_lookup else None
        column = self.columns.get(name)
        return column if column is not None and not column.is_lookup else None

    def column_of_navigation(self, name: str) -> Column | None:
        """The lookup behind a navigation name, which is case-sensitive."""
        return next((column for column in self.columns.values() if name in column.navigation), None)


class Schema(BaseModel):
    """All tables. Mutable in one way only: `put_table`, `put_relationship` and `put_choice` replace whole models."""

    tables: dict[str, Table] = Field(default_factory=dict)
    relationships: dict[str, Relationship] = Field(default_factory=dict)
    choices: dict[str, tuple[Option, ...]] = Field(default_factory=dict)
    """Global choices by name."""

    def by_set_name(self, set_name: str) -> Table | None:
        return next((table for table in self.tables.values() if table.set_name == set_name), None)

    def collection(self, table: str, name: str) -> Relationship | None:
        relationship = self.relationships.get(name)
        return relationship if relationship is not None and relationship.referenced == table else None

    def children_of(self, table: str) -> Iterable[Relationship]:
        return [relationship for relationship in self.relationships.values() if relationship.referenced == table]

    def put_table(self, table: Table) -> None:
        self.tables[table.name] = table

    def put_column(self, table_name: str, column: Column) -> None:
        table = self.tables[table_name]
        self.put_table(table.model_copy(update={"columns": {**table.columns, column.name: column}}))

    def put_relationship(self, relationship: Relationship) -> None:
        self.relationships[relationship.schema_name] = relationship
