"""Create, update and delete: defaults, state rules, keys, cascades, and the events each of them raises.

The only module that changes business rows. Each function is one transaction, or a part of the caller's. Preconditions
(`If-Match`) and privileges belong to the request and are checked before, in `rows`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from sandbox.dataverse import errors, events, registration, sales
from sandbox.dataverse.binding import find_by_key
from sandbox.dataverse.environment import Caller, Environment
from sandbox.dataverse.schema import Column, Table
from sandbox.dataverse.store import Ref, Row
from sandbox.dataverse.values import stamp
from sandbox.tokens import Refusal

_STATE = ("statecode", "statuscode")
_NOT_IN_TARGET = frozenset({"versionnumber"})


def create(env: Environment, caller: Caller, table: Table, values: Mapping[str, Any], row_id: str | None = None) -> str:
    """Store a new row and raise Create; the id. 412 when the id or an alternate key is taken."""
    row_id = row_id or str(uuid.uuid4())
    now = stamp(env.now())
    with env.store.transaction():
        if env.store.get(table.name, row_id) is not None:
            raise errors.already_exists()
        row: dict[str, Any] = {
            name: column.default for name, column in table.columns.items() if column.default is not None
        }
        row |= _initial_state(table, values)
        row |= {name: value for name, value in values.items() if value is not None}
        row[table.primary_id] = row_id
        if table.ownership == "user":
            row.setdefault("ownerid", Ref("systemuser", caller.user_id))
            row["owningbusinessunit"] = env.root_business_unit()
            _name_owner(row)
        me = Ref("systemuser", caller.user_id)
        row |= {"createdon": now, "modifiedon": now, "createdby": me, "modifiedby": me}
        sales.complete(env, table, row, set(row), None)
        _check_keys(env, table, row_id, row)
        _check_required(env, table, row)
        registration.check(env, table, row)
        stored = env.store.put(table.name, row_id, row)
        target = {name: value for name, value in stored.items() if name not in _NOT_IN_TARGET}
        events.emit(env, caller, events.Event("Create", table, row_id, None, stored, set(values), target))
    return row_id


def update(env: Environment, caller: Caller, table: Table, row_id: str, values: Mapping[str, Any]) -> None:
    """Change columns and raise Update: once for ordinary columns and once for the state, as the platform does."""
    ordinary = {name: value for name, value in values.items() if name not in _STATE}
    state = {name: value for name, value in values.items() if name in _STATE}
    with env.store.transaction():
        before = _existing(env, table, row_id)
        if not state:
            _check_editable(env, table, before)
            apply(env, caller, table, row_id, ordinary)
            return
        state = _new_state(table, before, state)
        if table.name == "opportunity" and state["statecode"] not in (0, before["statecode"]):
            word = table.columns["statecode"].option_label(state["statecode"])
            raise errors.invalid(
                f"This message can not be used to set the state of opportunity to {word}. In order to set state of"
                f" opportunity to {word}, use the {'Win' if word == 'Won' else 'Lose'}Opportunity message instead."
            )
        opening = state["statecode"] == 0
        for part in (state, ordinary) if opening else (ordinary, state):
            if part is ordinary and ordinary:
                _check_editable(env, table, _existing(env, table, row_id))
            if part:
                apply(env, caller, table, row_id, part)


def delete(env: Environment, caller: Caller, table: Table, row_id: str) -> None:
    """Remove a row and what hangs on it, raising Delete for each; 405 when something forbids it."""
    with env.store.transaction():
        before = _existing(env, table, row_id)
        me = Ref(table.name, row_id)
        for relationship in env.schema.children_of(table.name):
            child = env.schema.tables[relationship.referencing]
            for child_id, row in env.store.all(child.name).items():
                if row.get(relationship.column) != me:
                    continue
                if relationship.on_delete == "Restrict":
                    raise Refusal(
                        405,
                        "0x80040227",
                        "The object you tried to delete is associated with another object and cannot be deleted.",
                    )
                if relationship.on_delete == "Cascade":
                    delete(env, caller, child, child_id)
                elif env.store.get(child.name, child_id) is not None:
                    env.store.put(child.name, child_id, {**row, relationship.column: None})
        env.store.remove(table.name, row_id)
        events.emit(env, caller, events.Event("Delete", table, row_id, before, None))


def apply(
    env: Environment,
    caller: Caller,
    table: Table,
    row_id: str,
    values: Mapping[str, Any],
    quietly: Mapping[str, Any] | None = None,
) -> None:
    """One update and its one event, without the checks of `update`: for actions.

    The Target holds what was sent, changed or not, and what was calculated along; `quietly` is written beside it.
    """
    with env.store.transaction():
        before = _existing(env, table, row_id)
        row: dict[str, Any] = {**before, **values, **(quietly or {})}
        row = {name: value for name, value in row.items() if value is not None}
        row |= {"modifiedon": stamp(env.now()), "modifiedby": Ref("systemuser", caller.user_id)}
        sent = set(values)
        if "ownerid" in sent:
            _name_owner(row)
        calculated = sales.complete(env, table, row, sent | set(quietly or {}), before) if sent - set(_STATE) else set()
        if quietly:
            sales.complete(env, table, row, set(quietly), before)
        _check_keys(env, table, row_id, row)
        registration.check(env, table, row)
        stored = env.store.put(table.name, row_id, row)
        target = {name: stored.get(name) for name in values} | {
            "modifiedon": stored["modifiedon"],
            "modifiedby": stored["modifiedby"],
            "modifiedonbehalfby": None,
        }
        target |= {name: stored.get(name) for name in sorted(calculated)}
        events.emit(env, caller, events.Event("Update", table, row_id, before, stored, sent, target))


def _name_owner(row: dict[str, Any]) -> None:
    """The owner shows in one of two more lookups, since `ownerid` itself cannot be expanded."""
    owner: Ref | None = row.get("ownerid")
    if owner is None:
        raise errors.invalid("The owner of a row cannot be cleared.")
    row["owninguser"], row["owningteam"] = (owner, None) if owner.table == "systemuser" else (None, owner)


def _existing(env: Environment, table: Table, row_id: str) -> Row:
    row = env.store.get(table.name, row_id)
    if row is None:
        raise errors.missing(table.name, row_id)
    return row


def _check_editable(env: Environment, table: Table, row: Row) -> None:
    if table.name == "opportunity" and row.get("statecode") != 0 and env.switches.closed_rows == "read-only":
        raise Refusal(400, "0x80040230", "The object cannot be updated because it is inactive.")


def _initial_state(table: Table, values: Mapping[str, Any]) -> dict[str, int]:
    """State of a new row: always the first one, with a status reason that belongs to it."""
    state = table.columns["statecode"].options[0].value
    reason = values.get("statuscode")
    if values.get("statecode", state) != state or (reason is not None and _state_of(table, reason) != state):
        raise _state_mismatch(table)
    default = next(option.value for option in table.columns["statuscode"].options if option.state == state)
    return {"statecode": state, "statuscode": default if reason is None else reason}


def _new_state(table: Table, before: Row, sent: Mapping[str, Any]) -> dict[str, int]:
    """State and reason after an update that named one or both; the first reason of a state is its default."""
    reason, state = sent.get("statuscode"), sent.get("statecode")
    if reason is not None:
        if state is not None and _state_of(table, reason) != state:
            raise _state_mismatch(table)
        return {"statecode": _state_of(table, reason), "statuscode": reason}
    if state is None or state == before.get("statecode"):
        return {"statecode": before["statecode"], "statuscode": before["statuscode"]}
    reasons: Collection[Any] = table.columns["statuscode"].options
    return {"statecode": state, "statuscode": next(option.value for option in reasons if option.state == state)}


def _state_of(table: Table, reason: int) -> int:
    column: Column = table.columns["statuscode"]
    state = next(option.state for option in column.options if option.value == reason)
    if state is None:
        raise _state_mismatch(table)
    return state


def _state_mismatch(table: Table) -> Refusal:
    return Refusal(
        400,
        errors.STATE_MISMATCH,
        f"State code is invalid or state code is valid but status code is invalid for a specified state code on"
        f" {table.name}.",
    )


def _check_required(env: Environment, table: Table, row: Row) -> None:
    """The Web API does not enforce a column that forms require; a plug-in of the environment may."""
    for name in env.switches.required_columns:
        table_name, _, column = name.partition(".")
        if table_name == table.name and row.get(column) is None:
            raise Refusal(400, "0x80040265", f"The column {column} must have a value before the record can be saved.")


def _check_keys(env: Environment, table: Table, row_id: str, row: Row) -> None:
    """Alternate keys are unique; rows with an empty key column do not collide."""
    for key in table.keys:
        if key.failed:
            continue  # its index was never built
        other = find_by_key(env, table, key, row)
        if other is not None and other != row_id:
            raise Refusal(
                412,
                errors.DUPLICATE_KEY,
                f"Entity Key {key.schema_name} violated. A record with the same value for"
                f" {', '.join(key.columns)} already exists. A duplicate record cannot be created. Select one or more"
                " unique values and try again.",
            )
