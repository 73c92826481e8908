"""Reading: rows as the Web API shows them, with `$select`, `$filter`, `$orderby`, `$expand`, paging and annotations."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from sandbox.dataverse import errors
from sandbox.dataverse.environment import Environment
from sandbox.dataverse.odata_filter import comparable, compile_filter
from sandbox.dataverse.schema import Column, Relationship, Table
from sandbox.dataverse.store import Ref, Row
from sandbox.dataverse.url import Options
from sandbox.dataverse.values import to_json
from sandbox.dataverse.wire import (
    FORMATTED,
    LOGICAL_NAME,
    NAVIGATION,
    ApiRequest,
    ApiResponse,
    Preferences,
    require_privilege,
)

LARGEST_PAGE = 5000


def etag(row: Row) -> str:
    return f'W/"{row["versionnumber"]}"'


def entity(env: Environment, table: Table, row: Row, options: Options, prefer: Preferences) -> dict[str, Any]:
    """One row as JSON: chosen columns with their nulls, annotations when asked for, expanded rows."""
    shown: dict[str, Any] = {"@odata.etag": etag(row)}
    for name, column in selected(env, table, options).items():
        value = row.get(column.name)
        shown[name] = None if value is None else to_json(column, value)
        if value is not None:
            shown |= _annotations(env, column, name, value, row, prefer)
    shown[table.primary_id] = row[table.primary_id]
    for navigation, nested in options.expand:
        shown |= _expanded(env, table, row, navigation, nested, prefer)
    return shown


def selected(env: Environment, table: Table, options: Options) -> dict[str, Column]:
    """Property name → column; 400 for a name the table does not have."""
    now = env.now().timestamp()
    if options.select is None:
        return {c.property_name: c for c in table.columns.values() if c.readable and c.visible_at <= now}
    chosen: dict[str, Column] = {}
    for name in options.select:
        # A lookup may be selected by its column name; it is shown under its property name all the same.
        column = table.column_of_property(name) or table.columns.get(name)
        if column is None or not column.readable or column.visible_at > now:
            raise errors.unknown_property(table.name, name)
        chosen[column.property_name] = column
    return chosen


def check(env: Environment, table: Table, options: Options) -> None:
    """400 for a name that the table, or one expanded from it, does not have; also when no row would show it."""
    selected(env, table, options)
    for navigation, nested in options.expand:
        column, relationship = table.column_of_navigation(navigation), env.schema.collection(table.name, navigation)
        if column is None and relationship is None:
            raise errors.unknown_property(table.name, navigation)
        if column is not None and column.kind == "Owner" and nested.select is not None:
            # Behind `ownerid` is the common type of users and teams, which has no columns but the id.
            foreign = next((name for name in nested.select if name != column.name), None)
            if foreign is not None:
                raise errors.unknown_property("principal", foreign)
        elif column is not None:
            check(env, env.schema.tables[column.navigation[navigation][0]], nested)
        elif relationship is not None:
            check(env, env.schema.tables[relationship.referencing], nested)


def context(request: ApiRequest, table: Table, options: Options, suffix: str = "") -> str:
    """`@odata.context` of an answer."""
    names = list(options.select or ())
    for navigation, nested in options.expand:
        names.append(f"{navigation}({','.join(nested.select or ())})")
    listed = f"({','.join(names)})" if names else ""
    return f"{request.root}/$metadata#{table.set_name}{listed}{suffix}"


def collection(
    env: Environment, request: ApiRequest, table: Table, options: Options, prefer: Preferences
) -> ApiResponse:
    """A page of rows, with the link to the next one."""
    require_privilege(env, request.caller, "Read", table)
    check(env, table, options)
    rows, total = _matching(env, table, list(env.rows_of(table.name).values()), options)
    start = _resume(rows, table, options.skiptoken)
    size = min(prefer.page_size or LARGEST_PAGE, LARGEST_PAGE)
    page = rows[start : start + size]
    body: dict[str, Any] = {"@odata.context": context(request, table, options)}
    if options.count:
        body["@odata.count"] = min(total, 5000)
    if prefer.wants("Microsoft.Dynamics.CRM.totalrecordcount"):
        body["@Microsoft.Dynamics.CRM.totalrecordcount"] = min(total, 5000) if options.count else -1
    body["value"] = [entity(env, table, row, options, prefer) for row in page]
    if start + size < len(rows):
        body["@odata.nextLink"] = _next_link(request, start + size, page[-1][table.primary_id])
    return ApiResponse(200, body, prefer.applied())


def single(
    env: Environment, request: ApiRequest, table: Table, row: Row, options: Options, prefer: Preferences
) -> ApiResponse:
    """One row, or 304 when the client has this version already."""
    require_privilege(env, request.caller, "Read", table)
    check(env, table, options)
    known = request.headers.get("if-none-match", "null")
    if known == etag(row) and not options.expand and not prefer.annotations:
        return ApiResponse(304, None, {"ETag": etag(row)})
    shown = entity(env, table, row, options, prefer)
    body = {"@odata.context": context(request, table, options, "/$entity"), **shown}
    return ApiResponse(200, body, {"ETag": etag(row)} | prefer.applied())


def _matching(env: Environment, table: Table, rows: list[Row], options: Options) -> tuple[list[Row], int]:
    """The rows that are asked for, in order, and how many there were without `$top`."""
    if options.filter is not None:
        chosen = compile_filter(env, table, options.filter)
        rows = [row for row in rows if chosen(row)]
    rows.sort(key=lambda row: row[table.primary_id])
    for name, descending in reversed(options.orderby):
        column = table.column_of_property(name)
        if column is None:
            raise errors.unknown_property(table.name, name)
        # SQL Server sorts empty values first.
        rows.sort(key=lambda row, c=column: _sort_key(c, row), reverse=descending)  # type: ignore[misc]  # bound default
    return (rows if options.top is None else rows[: options.top]), len(rows)


def _sort_key(column: Column, row: Row) -> tuple[bool, Any]:
    value = comparable(column, row.get(column.name))
    return (value is not None, 0 if value is None else value)


def _resume(rows: list[Row], table: Table, token: str | None) -> int:
    """Where the next page starts: after the last row of the previous one, or at its place if that row is gone."""
    if token is None:
        return 0
    try:
        offset, last = json.loads(base64.urlsafe_b64decode(token.encode()))
    except ValueError as error:
        raise errors.syntax("Malformed XML in the Paging Cookie.") from error
    after = next((place + 1 for place, row in enumerate(rows) if row[table.primary_id] == last), None)
    return int(offset) if after is None else after


def _next_link(request: ApiRequest, offset: int, last: str) -> str:
    token = base64.urlsafe_b64encode(json.dumps([offset, last]).encode()).decode()
    kept = [part for part in request.query.split("&") if part and not part.startswith(("$skiptoken", "%24skiptoken"))]
    return f"{request.root}/{request.path}?{'&'.join([*kept, f'$skiptoken={quote(token)}'])}"


def _annotations(
    env: Environment, column: Column, name: str, value: Any, row: Row, prefer: Preferences
) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    if prefer.wants(FORMATTED):
        text = env.formatted(column, value, row)
        if text is not None:
            found[f"{name}@{FORMATTED}"] = text
    if isinstance(value, Ref):
        if prefer.wants(LOGICAL_NAME):
            found[f"{name}@{LOGICAL_NAME}"] = value.table
        if prefer.wants(NAVIGATION):
            navigation = next((nav for nav, targets in column.navigation.items() if value.table in targets), None)
            found[f"{name}@{NAVIGATION}"] = navigation
    return found


def _expanded(
    env: Environment, table: Table, row: Row, navigation: str, nested: Options, prefer: Preferences
) -> dict[str, Any]:
    column = table.column_of_navigation(navigation)
    if column is not None:
        ref: Ref | None = row.get(column.name)
        related = None if ref is None or ref.table not in column.navigation[navigation] else env.store.get(*ref)
        if ref is None or related is None:
            return {navigation: None}
        if column.kind == "Owner":
            return {navigation: {"@odata.etag": etag(related), column.name: ref.id}}
        return {navigation: entity(env, env.schema.tables[ref.table], related, nested, prefer)}
    relationship = env.schema.relationships[navigation]
    return {navigation: children(env, relationship, row[table.primary_id], nested, prefer)}


def children(
    env: Environment, relationship: Relationship, parent_id: str, options: Options, prefer: Preferences
) -> list[dict[str, Any]]:
    """The rows of a child collection."""
    child, parent = env.schema.tables[relationship.referencing], Ref(relationship.referenced, parent_id)
    mine = [row for row in env.rows_of(child.name).values() if row.get(relationship.column) == parent]
    return [entity(env, child, row, options, prefer) for row in _matching(env, child, mine, options)[0]]
