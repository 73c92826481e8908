"""Finds the row an address names, and turns a request body into column values.

`@odata.bind` values are resolved here, because a lookup's value is another row: by id, by alternate key, relative or
absolute. What the values mean for the row is decided in `writes`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.dataverse import errors
from sandbox.dataverse.environment import Environment
from sandbox.dataverse.odata_filter import comparable
from sandbox.dataverse.schema import CHOICES, NUMBERS, Column, Key, Table
from sandbox.dataverse.store import Ref, Row
from sandbox.dataverse.url import Segment, literal_text, split_reference
from sandbox.dataverse.values import is_guid, parse
from sandbox.tokens import Refusal


@dataclass(frozen=True)
class Address:
    """A row as named by a URL. `id` is None when an alternate key finds nothing; `key_values` then fill a new row."""

    table: Table
    id: str | None
    row: Row | None
    key_values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def by_key(self) -> bool:
        return bool(self.key_values)

    def missing(self) -> Refusal:
        return errors.missing_by_key(self.table.name) if self.id is None else errors.missing(self.table.name, self.id)


def table_of(env: Environment, set_name: str) -> Table:
    table = env.schema.by_set_name(set_name)
    if table is None:
        raise errors.no_resource(set_name)
    return table


def locate(env: Environment, table: Table, segment: Segment) -> Address:
    """The row a segment with a key names, whether it exists or not."""
    if isinstance(segment.key, str):
        if not is_guid(segment.key):
            raise errors.syntax(f"Bad Request - Error in query syntax: '{segment.key}' is no Guid.")
        named = segment.key.lower()
        return Address(table, named, env.store.get(table.name, named))
    if not segment.key:
        raise errors.syntax(f"The key of '{segment.name}' is missing.")
    if set(segment.key) == {table.primary_id}:
        return locate(env, table, Segment(segment.name, literal_text(segment.key[table.primary_id])))
    key, values = _key_values(env, table, segment.key)
    row_id = find_by_key(env, table, key, values)
    return Address(table, row_id, env.store.get(table.name, row_id) if row_id else None, values)


def find_by_key(env: Environment, table: Table, key: Key, values: Row) -> str | None:
    """Id of the row with these values, none of them empty; text compares without case."""
    columns = [table.columns[name] for name in key.columns]

    def normal(row: Row) -> Hashable | None:
        found = tuple(comparable(column, row.get(column.name)) for column in columns)
        return None if None in found else found

    return env.store.find(table.name, key.name, normal, values)


def resolve(env: Environment, uri: Any, column: Column, navigation: str, set_name: str) -> Ref:
    """The row a bind value points to; 404 when it does not exist, 400 when it may not stand there."""
    if not isinstance(uri, str):
        raise errors.payload(set_name, f"The value of '{navigation}@odata.bind' must be a URI.")
    path = split_reference(uri)
    if len(path) != 1 or path[0].key is None:
        raise errors.payload(set_name, f"Invalid URI '{uri}' for '{navigation}@odata.bind'.")
    target = table_of(env, path[0].name)
    if target.name not in column.navigation[navigation]:
        raise errors.payload(
            set_name, f"The navigation property '{navigation}' cannot refer to '{target.set_name}' ('{uri}')."
        )
    address = locate(env, target, path[0])
    if address.row is None or address.id is None:
        raise address.missing()
    return Ref(target.name, address.id)


def body_values(env: Environment, table: Table, body: Any, *, creating: bool) -> tuple[str | None, dict[str, Any]]:
    """Own primary key, if the body has one, and column → stored value (None clears).

    Columns that nobody can write are ignored, as the platform does; unknown names are refused.
    """
    if not isinstance(body, dict):
        raise errors.payload(table.set_name, "The body of the request must be a JSON object.")
    row_id: str | None = None
    values: dict[str, Any] = {}
    for name, value in body.items():
        if name.startswith("@") or ("@" in name and not name.endswith("@odata.bind")):
            continue
        column = _column(env, table, name)
        if name == table.primary_id:
            row_id = parse(table, column, value)
        elif column.is_lookup:
            navigation = name.removesuffix("@odata.bind")
            ref = None if value is None else resolve(env, value, column, navigation, table.set_name)
            if column.creatable if creating else column.updatable:
                values[column.name] = ref
        else:
            stored = parse(table, column, value)
            if column.creatable if creating else column.updatable:
                values[column.name] = stored
    return row_id, values


def _column(env: Environment, table: Table, name: str) -> Column:
    bound = name.endswith("@odata.bind")
    column = table.column_of_navigation(name.removesuffix("@odata.bind")) if bound else table.columns.get(name)
    if column is None or column.visible_at > env.now().timestamp():
        raise errors.undeclared(table.set_name, table.name, name)
    if column.is_lookup and not bound:
        raise errors.payload(
            table.set_name,
            "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.",
        )
    return column


def _key_values(env: Environment, table: Table, pairs: Mapping[str, str]) -> tuple[Key, dict[str, Any]]:
    columns: dict[str, Column] = {}
    for name in pairs:
        column = table.column_of_property(name)
        if column is None:
            raise _no_key(table)
        columns[name] = column
    names = {column.name for column in columns.values()}
    key = next((key for key in table.keys if set(key.columns) == names), None)
    if key is None or key.failed or key.active_at > env.now().timestamp():
        raise _no_key(table)
    return key, {column.name: _key_literal(table, column, pairs[name]) for name, column in columns.items()}


def _key_literal(table: Table, column: Column, text: str) -> Any:
    value: Any = literal_text(text)
    if column.is_lookup:
        if not is_guid(value):
            raise errors.syntax(f"Bad Request - Error in query syntax: '{value}' is no Guid.")
        return Ref(column.targets[0], value.lower())
    if (column.kind in NUMBERS or column.kind in CHOICES) and value.lstrip("-").isdigit():
        value = int(value)
    return parse(table, column, value)


def _no_key(table: Table) -> Refusal:
    return errors.syntax(
        f"The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.{table.name}'. Ensure that the"
        " names and number of key properties match the declared or alternate key properties for the resource"
        f" 'Microsoft.Dynamics.CRM.{table.name}'."
    )
