"""Reads table definitions (standard.toml and infra/dataverse/schema.toml, one grammar) into a `Schema`.

Adds what every table of Dataverse has: system columns by ownership, `_base` companions of Money, navigation names.
Metadata writes build their columns with the same functions. Seed rows are the business of `seed`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.dataverse.schema import Column, Key, Option, Relationship, Schema, Table, stable_id

STANDARD = Path(__file__).with_name("standard.toml")
CUSTOM = Path(__file__).parents[2] / "infra" / "dataverse" / "schema.toml"
_ACTIVE = [[0, "Active"], [1, "Inactive"]]
_ACTIVE_REASONS = [[1, 0, "Active"], [2, 1, "Inactive"]]


@cache
def read(path: Path) -> dict[str, Any]:
    """The document, read once: it does not change while the simulator runs."""
    with path.open("rb") as file:
        return tomllib.load(file)


def load(*, with_custom: bool) -> Schema:
    """The environment's schema; without the custom part it is one into which nothing was installed yet."""
    made = _made(with_custom)  # its models are frozen, so that another schema may hold them too
    return Schema(tables=made.tables, relationships=made.relationships, choices=made.choices)


@cache
def _made(with_custom: bool) -> Schema:
    schema = Schema()
    standard = read(STANDARD)
    for name, entry in standard["tables"].items():
        add_table(schema, name, entry, standard.get("options", {}), custom=False)
    if with_custom:
        for name, entry in read(CUSTOM)["tables"].items():
            if name in schema.tables:
                extend_table(schema, name, entry)
            else:
                add_table(schema, name, entry, {}, custom=True)
    return schema


def add_table(schema: Schema, name: str, entry: dict[str, Any], options: dict[str, Any], *, custom: bool) -> None:
    """A new table with its system columns, keys and relationships."""
    ownership = entry.get("ownership", "user")
    primary = entry.get("primary_name")
    primary_id = entry.get("primary_id", f"{name}id")
    columns = {primary_id: _system(primary_id, "Uniqueidentifier", name, creatable=True)}
    if primary is not None:
        column = column_from(name, {"kind": "String", **primary}, options, custom=custom)
        columns[column.name] = column
    table = Table(
        name=name,
        schema_name=entry.get("schema_name", name.capitalize()),
        set_name=entry["set_name"],
        label=entry.get("label", name.capitalize()),
        label_plural=entry.get("label_plural", entry["set_name"].capitalize()),
        primary_id=primary_id,
        primary_name=primary["name"].lower() if primary else None,
        columns=columns | _system_columns(name, entry, ownership),
        ownership=ownership,
        currency=entry.get("currency"),
        custom=custom,
        change_tracking=entry.get("change_tracking", True),
        metadata_id=stable_id("table", name),
    )
    schema.put_table(table)
    if ownership == "user":
        add_lookup(schema, name, {"name": "ownerid", "kind": "Owner", "targets": ["systemuser", "team"]})
        for owning, target in (("user", "systemuser"), ("team", "team"), ("businessunit", "businessunit")):
            add_lookup(schema, name, {"name": f"owning{owning}", "target": target, "read_only": True})
    if table.currency:
        currency = {"name": "transactioncurrencyid", "label": "Currency", "target": "transactioncurrency"}
        add_lookup(schema, name, currency)
    for column_name in ("createdby", "modifiedby", "createdonbehalfby", "modifiedonbehalfby"):
        add_lookup(schema, name, {"name": column_name, "target": "systemuser", "read_only": True})
    extend_table(schema, name, entry, options, custom=custom)


def extend_table(
    schema: Schema, name: str, entry: dict[str, Any], options: dict[str, Any] | None = None, *, custom: bool = True
) -> None:
    """Columns, lookups and keys on a table that is there."""
    for definition in entry.get("columns", ()):
        add_column(schema, name, column_from(name, definition, options or {}, custom=custom))
    for definition in entry.get("lookups", ()):
        add_lookup(schema, name, definition, custom=custom)
    for definition in entry.get("keys", ()):
        add_key(schema, name, definition["name"], definition["columns"])


def add_column(schema: Schema, table_name: str, column: Column) -> None:
    """One column; Money brings its read-only base value along."""
    schema.put_column(table_name, column)
    if column.kind == "Money":
        base = column.model_copy(
            update={
                "name": f"{column.name}_base",
                "schema_name": f"{column.schema_name}_Base",
                "label": f"{column.label} (Base)",
                "creatable": False,
                "updatable": False,
                "metadata_id": stable_id("column", table_name, f"{column.name}_base"),
            }
        )
        schema.put_column(table_name, base)


def add_key(schema: Schema, table_name: str, schema_name: str, columns: list[str], active_at: float = 0.0) -> Key:
    key = Key(
        name=schema_name.lower(),
        schema_name=schema_name,
        columns=tuple(columns),
        metadata_id=stable_id("key", table_name, schema_name.lower()),
        active_at=active_at,
    )
    table = schema.tables[table_name]
    schema.put_table(table.model_copy(update={"keys": (*table.keys, key)}))
    return key


def column_from(table: str, entry: dict[str, Any], options: dict[str, Any], *, custom: bool) -> Column:
    """A column from its entry in a definition file; `options` are the named lists that `options_of` refers to."""
    name = entry["name"].lower()
    pairs = entry.get("options") or options.get(entry.get("options_of", ""), [])
    read_only = entry.get("read_only", False)
    kind = entry["kind"]
    return Column(
        name=name,
        schema_name=entry.get("schema_name", entry["name"]),
        kind=kind,
        label=entry.get("label", name),
        max_length=entry.get("max_length"),
        min=entry.get("min"),
        max=entry.get("max"),
        precision=entry.get("precision"),
        format=entry.get("format") or ("DateAndTime" if kind == "DateTime" else None),
        behavior=entry.get("behavior") or _behavior(kind, entry.get("format")),
        options=tuple(Option(value=value, label=label) for value, label in pairs),
        default=entry.get("default"),
        required=entry.get("required", False),
        creatable=not read_only,
        updatable=not read_only and not entry.get("create_only", False),
        readable=not entry.get("write_only", False),
        custom=custom or name.startswith("new_"),
        metadata_id=stable_id("column", table, name),
    )


def add_lookup(schema: Schema, table: str, entry: dict[str, Any], *, custom: bool = False) -> None:
    """A lookup column with its navigation names and, when `relationship` names them, its relationships."""
    name = entry["name"].lower()
    targets = tuple(entry["targets"] if "targets" in entry else [entry["target"]])
    kind = entry.get("kind", "Lookup")
    if kind != "Owner" and (len(targets) > 1 or entry.get("polymorphic")):
        navigation = {f"{name}_{target}": (target,) for target in targets}
    else:
        navigation = {entry.get("nav", entry["name"]): targets}
    column = column_from(table, {**entry, "kind": kind}, {}, custom=custom)
    schema.put_column(table, column.model_copy(update={"targets": targets, "navigation": navigation}))
    names = entry.get("relationship", [])
    for target, relationship in zip(targets, [names] if isinstance(names, str) else names, strict=False):
        schema.put_relationship(
            Relationship(
                schema_name=relationship,
                referenced=target,
                referencing=table,
                column=name,
                on_delete=entry.get("on_delete", "RemoveLink"),
                metadata_id=stable_id("relationship", relationship),
            )
        )


def _system(name: str, kind: str, table: str, *, creatable: bool = False, **more: Any) -> Column:
    return Column(
        name=name,
        schema_name=name,
        kind=kind,
        label=more.pop("label", name),
        creatable=creatable,
        updatable=more.pop("updatable", False),
        metadata_id=stable_id("column", table, name),
        **more,
    )


def _system_columns(table: str, entry: dict[str, Any], ownership: str) -> dict[str, Column]:
    when: dict[str, Any] = {"format": "DateAndTime", "behavior": "UserLocal"}
    states = [Option(value=value, label=label) for value, label in entry.get("states", _ACTIVE)]
    reasons = [Option(value=v, state=s, label=label) for v, s, label in entry.get("statuses", _ACTIVE_REASONS)]
    columns = [
        _system("createdon", "DateTime", table, label="Created On", **when),
        _system("modifiedon", "DateTime", table, label="Modified On", **when),
        _system("overriddencreatedon", "DateTime", table, creatable=True, format="DateOnly"),
        _system("versionnumber", "BigInt", table),
        _system("timezoneruleversionnumber", "Integer", table, creatable=True, updatable=True),
        _system("statecode", "State", table, label="Status", options=tuple(states), updatable=True),
        _system(
            "statuscode", "Status", table, label="Status Reason", options=tuple(reasons), creatable=True, updatable=True
        ),
    ]
    if entry.get("currency"):
        columns.append(_system("exchangerate", "Decimal", table, precision=12))
    return {column.name: column for column in columns}


def _behavior(kind: str, date_format: str | None) -> str | None:
    if kind != "DateTime":
        return None
    return "DateOnly" if date_format == "DateOnly" else "UserLocal"
