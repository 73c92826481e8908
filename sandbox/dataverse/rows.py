"""The Web API's verbs on one row: GET, POST, PATCH with its preconditions, DELETE, `$ref` and single properties.

Checks what belongs to the request (privileges, `If-Match`, interleaved edits) and hands the change to `writes`.
"""

from __future__ import annotations

from typing import Any

from sandbox.dataverse import errors, query, solutions, writes
from sandbox.dataverse.binding import Address, body_values, locate, resolve
from sandbox.dataverse.environment import Caller, Environment
from sandbox.dataverse.schema import Column, Table
from sandbox.dataverse.store import Row
from sandbox.dataverse.url import Options, Segment
from sandbox.dataverse.values import parse, to_json
from sandbox.dataverse.wire import ETAG, ApiRequest, ApiResponse, Preferences, require_privilege
from sandbox.tokens import Refusal


def post(env: Environment, request: ApiRequest, table: Table, options: Options, prefer: Preferences) -> ApiResponse:
    """Create: 204 with the row's URL, or 201 with the row when the representation was asked for."""
    require_privilege(env, request.caller, "Create", table)
    row_id, values = body_values(env, table, request.json(), creating=True)
    solution = solutions.named(env, request)
    with env.store.transaction():
        row_id = writes.create(env, request.caller, table, values, row_id)
        if table.name in solutions.ROW_TYPES:
            solutions.join(env, solution, row_id, solutions.ROW_TYPES[table.name])
    return _written(env, request, table, row_id, options, prefer, created=True)


def patch(
    env: Environment, request: ApiRequest, table: Table, segment: Segment, options: Options, prefer: Preferences
) -> ApiResponse:
    """Update or upsert, by the table of preconditions."""
    address = locate(env, table, segment)
    if request.caller.is_connector and address.id is not None and _interleave(env, address):
        address = locate(env, table, segment)
    if address.row is None:
        return _upsert(env, request, address, segment, options, prefer)
    if request.headers.get("if-none-match") == "*":
        raise errors.already_exists()
    check_match(request, address.row)
    require_privilege(env, request.caller, "Write", table)
    _, values = body_values(env, table, request.json(), creating=False)
    row_id = _id(address)
    # Key columns in the body are ignored when the row was found by them.
    writes.update(env, request.caller, table, row_id, {n: v for n, v in values.items() if n not in address.key_values})
    return _written(env, request, table, row_id, options, prefer, segment=segment)


def _upsert(
    env: Environment, request: ApiRequest, address: Address, segment: Segment, options: Options, prefer: Preferences
) -> ApiResponse:
    refused = address.by_key and env.switches.key_upsert_if_none_match == "not-found"
    if "if-match" in request.headers or (request.headers.get("if-none-match") == "*" and refused):
        raise address.missing()
    table = address.table
    require_privilege(env, request.caller, "Create", table)
    row_id, values = body_values(env, table, request.json(), creating=True)
    row_id = writes.create(env, request.caller, table, {**address.key_values, **values}, address.id or row_id)
    return _written(env, request, table, row_id, options, prefer, created=True, segment=segment)


def _interleave(env: Environment, address: Address) -> bool:
    """Apply the edits another user was told to make just before this write."""
    edits = [
        edit for edit in env.interleaved if edit.table == address.table.name and edit.id == address.id and edit.times
    ]
    for edit in edits:
        edit.times -= 1
        _, values = body_values(env, address.table, edit.values, creating=False)
        writes.update(env, Caller(edit.user), address.table, edit.id, values)
    return bool(edits)


def delete(env: Environment, request: ApiRequest, table: Table, segment: Segment) -> ApiResponse:
    address = locate(env, table, segment)
    if address.row is None:
        raise address.missing()
    check_match(request, address.row)
    require_privilege(env, request.caller, "Delete", table)
    writes.delete(env, request.caller, table, _id(address))
    return ApiResponse(204)


def existing(env: Environment, table: Table, segment: Segment) -> tuple[str, Row]:
    """Id and row; 404 when there is none."""
    address = locate(env, table, segment)
    if address.row is None:
        raise address.missing()
    return _id(address), address.row


def check_match(request: ApiRequest, row: Row) -> None:
    """412 when `If-Match` names another version."""
    wanted = request.headers.get("if-match")
    if wanted is None or wanted == "*":
        return
    if ETAG.match(wanted) is None:
        raise errors.syntax(f"The value of the If-Match header is no ETag: {wanted}.")
    if wanted != query.etag(row):
        raise errors.version_mismatch()


def single_property(env: Environment, request: ApiRequest, table: Table, segment: Segment, name: str) -> ApiResponse:
    """GET, PUT and DELETE of one column."""
    row_id, row = existing(env, table, segment)
    column = table.column_of_property(name)
    if column is None:
        raise errors.no_resource(name)
    if request.method == "GET":
        require_privilege(env, request.caller, "Read", table)
        value = row.get(column.name)
        if value is None:
            return ApiResponse(204)
        where = f"{request.root}/$metadata#{table.set_name}({row_id})/{name}"
        return ApiResponse(200, {"@odata.context": where, "value": to_json(column, value)})
    check_match(request, row)
    require_privilege(env, request.caller, "Write", table)
    if request.method == "DELETE":
        value = None
    elif request.method == "PUT":
        body = request.json()
        if not isinstance(body, dict) or "value" not in body:
            raise errors.payload(table.set_name, 'The body must be {"value": …}.')
        value = parse(table, column, body["value"])
    else:
        raise Refusal(405, errors.SYNTAX, f"The method {request.method} is not allowed on a property.")
    writes.update(env, request.caller, table, row_id, {column.name: value})
    return ApiResponse(204)


def reference(env: Environment, request: ApiRequest, table: Table, segment: Segment, target: Segment) -> ApiResponse:
    """`…/<navigation>/$ref`: set or clear a lookup, add to or remove from a child collection."""
    row_id, row = existing(env, table, segment)
    check_match(request, row)
    require_privilege(env, request.caller, "Write", table)
    column = table.column_of_navigation(target.name)
    if column is not None:
        value = None if request.method == "DELETE" else _referred(env, request, table, column, target.name)
        writes.update(env, request.caller, table, row_id, {column.name: value})
        return ApiResponse(204)
    relationship = env.schema.collection(table.name, target.name)
    if relationship is None:
        raise errors.no_resource(target.name)
    child = env.schema.tables[relationship.referencing]
    lookup = child.columns[relationship.column]
    if request.method == "DELETE":
        child_id, _ = existing(env, child, Segment(child.set_name, target.key))
        writes.update(env, request.caller, child, child_id, {lookup.name: None})
        return ApiResponse(204)
    body = request.json()
    named = Column.model_copy(lookup, update={"navigation": {target.name: (child.name,)}})
    child_ref = resolve(
        env, body.get("@odata.id") if isinstance(body, dict) else None, named, target.name, table.set_name
    )
    me = resolve(env, f"{table.set_name}({row_id})", lookup, _navigation_to(lookup, table), child.set_name)
    writes.update(env, request.caller, child, child_ref.id, {lookup.name: me})
    return ApiResponse(204)


def _referred(env: Environment, request: ApiRequest, table: Table, column: Column, navigation: str) -> Any:
    body = request.json()
    uri = body.get("@odata.id") if isinstance(body, dict) else None
    return resolve(env, uri, column, navigation, table.set_name)


def _navigation_to(lookup: Column, table: Table) -> str:
    return next(name for name, targets in lookup.navigation.items() if table.name in targets)


def _id(address: Address) -> str:
    if address.id is None:
        raise address.missing()
    return address.id


def _written(
    env: Environment,
    request: ApiRequest,
    table: Table,
    row_id: str,
    options: Options,
    prefer: Preferences,
    *,
    created: bool = False,
    segment: Segment | None = None,
) -> ApiResponse:
    """The answer to a write; after a PATCH on an alternate key the address is that key's, without the id."""
    by_key = segment is not None and not isinstance(segment.key, str)
    address = request.path.rstrip("/") if by_key else f"{table.set_name}({row_id})"
    headers = {"OData-EntityId": f"{request.root}/{address}"} | prefer.applied()
    row = env.store.get(table.name, row_id)
    if not prefer.representation or row is None:
        return ApiResponse(204, None, headers)
    shown = query.entity(env, table, row, options, prefer)
    body = {"@odata.context": query.context(request, table, options, "/$entity"), **shown}
    return ApiResponse(201 if created else 200, body, headers | {"ETag": query.etag(row)})
