"""Metadata writes, as an installer makes them: tables, columns, relationships, keys, choices, solution membership.

One at a time and slow to show, when the switches say so. Names must carry a publisher's prefix. Every change replaces a
model of the schema and is saved with the transaction; documents are read by `metadata_reader`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.dataverse import definitions, errors, seed, solutions
from sandbox.dataverse import metadata_reader as reader
from sandbox.dataverse.environment import Environment
from sandbox.dataverse.metadata import column_named, table_named
from sandbox.dataverse.schema import Key, Table, stable_id
from sandbox.dataverse.url import Segment, literal_text
from sandbox.dataverse.wire import ApiRequest, ApiResponse
from sandbox.tokens import Refusal

_KEY_KINDS = frozenset({"Decimal", "Integer", "String", "DateTime", "Lookup", "Picklist"})
_MOST_KEYS, _MOST_KEY_COLUMNS = 10, 16


def write(env: Environment, request: ApiRequest, path: Sequence[Segment]) -> ApiResponse:
    """POST, PUT or DELETE of a definition; 204 with the address of what was made."""
    _check_free(env)
    try:
        return _perform(env, request, path)
    except Exception:
        env.reload()  # the transaction is undone, and so must be what the schema in memory took over from it
        raise


def _perform(env: Environment, request: ApiRequest, path: Sequence[Segment]) -> ApiResponse:
    place = (request.method, path[0].name, path[1].name if len(path) > 1 else "")
    match place:
        case ("POST", "EntityDefinitions", ""):
            return _create_table(env, request)
        case ("POST", "EntityDefinitions", "Attributes"):
            return _create_column(env, request, table_named(env, path[0]))
        case ("POST", "EntityDefinitions", "Keys"):
            return _create_key(env, request, table_named(env, path[0]))
        case ("POST", "RelationshipDefinitions", ""):
            return _create_relationship(env, request)
        case ("POST", "GlobalOptionSetDefinitions", ""):
            return _create_choice(env, request)
        case ("PUT", "EntityDefinitions", ""):
            return _replace_table(env, request, table_named(env, path[0]))
        case ("PUT", "EntityDefinitions", "Attributes"):
            return _replace_column(env, request, table_named(env, path[0]), path[1])
        case ("DELETE", "EntityDefinitions", "Attributes"):
            return _delete_column(env, table_named(env, path[0]), path[1])
        case ("DELETE", "EntityDefinitions", "Keys"):
            return _delete_key(env, table_named(env, path[0]), path[1])
    raise Refusal(405, errors.SYNTAX, f"{request.method} is not supported on {path[0].name}; metadata know no PATCH.")


def insert_option(env: Environment, request: ApiRequest) -> ApiResponse:
    """`InsertOptionValue`: one more choice of a column."""
    _check_free(env)
    body = reader.members(request.json(), "EntityLogicalName", "AttributeLogicalName", "Value", "Label")
    table = table_named(env, Segment("", str(body["EntityLogicalName"])))
    column = column_named(table, Segment("", str(body["AttributeLogicalName"])))
    option = reader.option(body)
    if column.option_label(option.value) is not None:
        raise errors.invalid(f"The value {option.value} is used by {column.name} already.")
    with env.store.transaction():
        env.schema.put_column(table.name, column.model_copy(update={"options": (*column.options, option)}))
        env.save_schema()
    where = f"{request.root}/$metadata#Microsoft.Dynamics.CRM.InsertOptionValueResponse"
    return ApiResponse(200, {"@odata.context": where, "NewOptionValue": option.value})


def insert_status(env: Environment, request: ApiRequest) -> ApiResponse:
    """`InsertStatusValue`: a status reason of the customer's own, for one state."""
    _check_free(env)
    body = reader.members(request.json(), "EntityLogicalName", "AttributeLogicalName", "StateCode", "Value", "Label")
    table = table_named(env, Segment("", str(body["EntityLogicalName"])))
    column, option = table.columns["statuscode"], reader.option(body)
    if (
        body["AttributeLogicalName"] != column.name
        or table.columns["statecode"].option_label(body["StateCode"]) is None
    ):
        raise errors.invalid(f"{table.name} has no state {body['StateCode']} with reasons in statuscode.")
    if column.option_label(option.value) is not None:
        raise errors.invalid(f"The value {option.value} is used by {column.name} already.")
    new = option.model_copy(update={"state": body["StateCode"]})
    with env.store.transaction():
        env.schema.put_column(table.name, column.model_copy(update={"options": (*column.options, new)}))
        env.save_schema()
    where = f"{request.root}/$metadata#Microsoft.Dynamics.CRM.InsertStatusValueResponse"
    return ApiResponse(200, {"@odata.context": where, "NewOptionValue": option.value})


def reactivate_key(env: Environment, request: ApiRequest) -> ApiResponse:
    """`ReactivateEntityKey`: build the index again after the duplicates are gone."""
    body = reader.members(request.json(), "EntityLogicalName", "EntityKeyLogicalName")
    table = table_named(env, Segment("", str(body["EntityLogicalName"])))
    key = _key_named(table, Segment("", str(body["EntityKeyLogicalName"])))
    fresh = _judged(env, table, key.model_copy(update={"active_at": _later(env, env.switches.key_activation_s)}))
    with env.store.transaction():
        _put_keys(env, table, [fresh if old.name == key.name else old for old in table.keys])
    return ApiResponse(204)


def publish(env: Environment, request: ApiRequest) -> ApiResponse:
    """`PublishXml` and `PublishAllXml`: nothing here waits for being published, but the lock holds."""
    _check_free(env)
    if request.path.strip("/") == "PublishXml":
        reader.members(request.json(), "ParameterXml")
    return ApiResponse(204)


def _create_table(env: Environment, request: ApiRequest) -> ApiResponse:
    name, entry = reader.table_entry(request.json())
    _check_prefix(entry["schema_name"])
    if name in env.schema.tables:
        raise Refusal(400, "0x80048403", f"An entity with the specified name {name} already exists.")
    with env.store.transaction():
        definitions.add_table(env.schema, name, entry, {}, custom=True)
        seed.add_filters(env, name)
        return _made(env, request, solutions.TABLE, env.schema.tables[name].metadata_id, "EntityDefinitions({id})")


def _create_column(env: Environment, request: ApiRequest, table: Table) -> ApiResponse:
    entry = reader.column_entry(env.schema, request.json())
    _check_prefix(entry["name"])
    column = definitions.column_from(table.name, entry, {}, custom=True)
    if column.name in table.columns:
        sentence = f"An attribute with the specified name {column.name} already exists for the table {table.name}."
        raise Refusal(400, "0x80047013", sentence)
    late = {"visible_at": _later(env, env.switches.column_visible_s), "option_set": entry.get("option_set")}
    with env.store.transaction():
        definitions.add_column(env.schema, table.name, column.model_copy(update=late))
        if column.kind == "Money" and table.currency is None:
            env.schema.put_table(env.schema.tables[table.name].model_copy(update={"currency": "money"}))
            currency = {"name": "transactioncurrencyid", "label": "Currency", "target": "transactioncurrency"}
            definitions.add_lookup(env.schema, table.name, currency)
        where = f"EntityDefinitions(LogicalName='{table.name}')/Attributes({{id}})"
        return _made(env, request, solutions.COLUMN, column.metadata_id, where)


def _create_relationship(env: Environment, request: ApiRequest) -> ApiResponse:
    referencing, entry = reader.lookup_entry(request.json())
    _check_prefix(entry["relationship"])
    table = table_named(env, Segment("", referencing))
    table_named(env, Segment("", entry["target"]))
    if entry["relationship"] in env.schema.relationships or entry["name"].lower() in table.columns:
        raise Refusal(400, "0x80048418", f"A relationship or column named {entry['relationship']} already exists.")
    with env.store.transaction():
        definitions.add_lookup(env.schema, table.name, entry, custom=True)
        made = env.schema.relationships[entry["relationship"]]
        return _made(env, request, solutions.RELATIONSHIP, made.metadata_id, "RelationshipDefinitions({id})")


def _create_choice(env: Environment, request: ApiRequest) -> ApiResponse:
    body = reader.members(request.json(), "Name", "Options")
    name = str(body["Name"])
    _check_prefix(name)
    if name in env.schema.choices:
        raise Refusal(400, "0x80044240", f"An option set named {name} already exists.")
    with env.store.transaction():
        env.schema.choices[name] = reader.options(body["Options"])
        return _made(env, request, solutions.CHOICE, stable_id("choice", name), "GlobalOptionSetDefinitions({id})")


def _create_key(env: Environment, request: ApiRequest, table: Table) -> ApiResponse:
    body = reader.members(request.json(), "SchemaName", "KeyAttributes")
    schema_name, columns = str(body["SchemaName"]), [str(name) for name in body["KeyAttributes"]]
    _check_prefix(schema_name)
    if any(key.name == schema_name.lower() for key in table.keys):
        raise Refusal(400, "0x80060890", f"An entity key named {schema_name} already exists on {table.name}.")
    if len(table.keys) >= _MOST_KEYS or not 0 < len(columns) <= _MOST_KEY_COLUMNS:
        raise errors.invalid(f"A table has at most {_MOST_KEYS} keys and a key at most {_MOST_KEY_COLUMNS} columns.")
    for name in columns:
        if name not in table.columns or table.columns[name].kind not in _KEY_KINDS:
            raise errors.invalid(f"The column '{name}' cannot be part of a key of {table.name}.")
    with env.store.transaction():
        later = _later(env, env.switches.key_activation_s)
        key = definitions.add_key(env.schema, table.name, schema_name, columns, later)
        fresh = env.schema.tables[table.name]
        _put_keys(env, fresh, [*table.keys, _judged(env, fresh, key)])
        return _made(
            env, request, solutions.KEY, key.metadata_id, f"EntityDefinitions(LogicalName='{table.name}')/Keys({{id}})"
        )


def _replace_table(env: Environment, request: ApiRequest, table: Table) -> ApiResponse:
    changes = reader.table_changes(request.json())
    if table.change_tracking and changes.get("change_tracking") is False:
        raise errors.invalid("Change tracking cannot be turned off once it is on.")
    with env.store.transaction():
        env.schema.put_table(table.model_copy(update=changes))
        env.save_schema()
    return ApiResponse(204)


def _replace_column(env: Environment, request: ApiRequest, table: Table, segment: Segment) -> ApiResponse:
    """The complete definition replaces the old one; the type stays."""
    old = column_named(table, segment)
    entry = reader.column_entry(env.schema, {"SchemaName": old.schema_name, **reader.members(request.json())})
    if entry["kind"] != old.kind:
        raise errors.invalid(f"The type of {old.name} cannot be changed from {old.kind} to {entry['kind']}.")
    new = definitions.column_from(table.name, entry, {}, custom=old.custom)
    kept = {"metadata_id": old.metadata_id, "options": new.options or old.options, "option_set": old.option_set}
    with env.store.transaction():
        env.schema.put_column(table.name, new.model_copy(update=kept))
        env.save_schema()
    return ApiResponse(204)


def _delete_column(env: Environment, table: Table, segment: Segment) -> ApiResponse:
    column = column_named(table, segment)
    if not column.custom:
        raise errors.invalid(f"The column {column.name} belongs to the system and cannot be deleted.")
    if any(column.name in key.columns for key in table.keys):
        raise Refusal(400, "0x8004f01f", f"The column {column.name} is used by an alternate key.")
    gone = {column.name, f"{column.name}_base"}
    with env.store.transaction():
        for row_id, row in env.store.all(table.name).items():
            if not gone.isdisjoint(row):
                env.store.put(table.name, row_id, {name: value for name, value in row.items() if name not in gone})
        kept = {name: other for name, other in table.columns.items() if name not in gone}
        env.schema.put_table(table.model_copy(update={"columns": kept}))
        for name, relationship in list(env.schema.relationships.items()):
            if (relationship.referencing, relationship.column) == (table.name, column.name):
                del env.schema.relationships[name]
        env.save_schema()
    return ApiResponse(204)


def _delete_key(env: Environment, table: Table, segment: Segment) -> ApiResponse:
    key = _key_named(table, segment)
    with env.store.transaction():
        _put_keys(env, table, [other for other in table.keys if other.name != key.name])
    return ApiResponse(204)


def _key_named(table: Table, segment: Segment) -> Key:
    wanted = segment.key if isinstance(segment.key, str) else literal_text((segment.key or {}).get("LogicalName", ""))
    for key in table.keys:
        if wanted in (key.name, key.metadata_id):
            return key
    raise Refusal(404, errors.NOT_FOUND, f"The table {table.name} has no key '{wanted}'.")


def _put_keys(env: Environment, table: Table, keys: list[Key]) -> None:
    for key in {*table.keys, *keys}:
        env.store.forget_index(table.name, key.name)
    env.schema.put_table(env.schema.tables[table.name].model_copy(update={"keys": tuple(keys)}))
    env.save_schema()


def _judged(env: Environment, table: Table, key: Key) -> Key:
    """The key, failed when rows collide already."""
    seen: set[tuple[str, ...]] = set()
    for row in env.store.all(table.name).values():
        if any(row.get(name) is None for name in key.columns):
            continue
        values = tuple(str(row[name]).rstrip().casefold() for name in key.columns)
        if values in seen:
            return key.model_copy(update={"failed": True})
        seen.add(values)
    return key.model_copy(update={"failed": False})


def _made(env: Environment, request: ApiRequest, kind: int, metadata_id: str, where: str) -> ApiResponse:
    solutions.join(env, solutions.named(env, request), metadata_id, kind)
    env.save_schema()
    return ApiResponse(204, None, {"OData-EntityId": f"{request.root}/{where.format(id=metadata_id)}"})


def _check_free(env: Environment) -> None:
    busy = env.switches.customization_busy
    if busy > 0:
        env.set_switches(env.switches.model_copy(update={"customization_busy": busy - 1}))
        sentence = (
            "Cannot start another [EntityCustomization] because there is a previous [Import] running at this moment."
        )
        raise Refusal(503, "0x80071151", sentence)


def _check_prefix(schema_name: str) -> None:
    prefix, mark, rest = schema_name.partition("_")
    if not mark or not rest or not prefix.isalnum() or not 2 <= len(prefix) <= 8:
        raise errors.invalid(
            f"The schema name {schema_name} must start with the prefix of a publisher, such as cosell_."
        )


def _later(env: Environment, seconds: float) -> float:
    return env.now().timestamp() + seconds if seconds else 0.0
