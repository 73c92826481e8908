"""Metadata reads: EntityDefinitions with Attributes (casts included), Keys and relationships, and global choices.

Documents come from `metadata_documents`; here they are found, filtered and cut to `$select` and `$expand`. Anything but
GET goes on to `metadata_writes`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.dataverse import errors
from sandbox.dataverse import metadata_documents as documents
from sandbox.dataverse.environment import Environment
from sandbox.dataverse.schema import Column, Table
from sandbox.dataverse.url import Options, Segment, literal_text
from sandbox.dataverse.wire import ApiRequest, ApiResponse
from sandbox.tokens import Refusal

ROOTS = frozenset({"EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions"})
_CAST = "Microsoft.Dynamics.CRM."
_CONDITION = re.compile(r"^(\w+)(?:/Value)? eq (?:[\w.]+)?('(?:[^']|'')*'|true|false|[0-9a-fA-F-]{36})$")


def read(env: Environment, request: ApiRequest, path: Sequence[Segment], options: Options) -> ApiResponse:
    """One definition or a list of them; 404 when there is none of that name."""
    if path[0].name == "RelationshipDefinitions":
        return _relationships(env, request, path, options)
    if path[0].name == "GlobalOptionSetDefinitions":
        choices = [documents.choice_document(name, values) for name, values in env.schema.choices.items()]
        return _answer(request, path, choices, options, "Name")
    if path[0].key is None:
        entities = [documents.entity_document(table) for table in env.schema.tables.values()]
        return _answer(request, path, entities, options, "LogicalName")
    table = table_named(env, path[0])
    if len(path) == 1:
        return _one(request, _with_parts(env, table, documents.entity_document(table), options), options)
    if path[1].name == "Attributes":
        return _attributes(env, request, table, path[1:], options)
    now = env.now().timestamp()
    if path[1].name == "Keys":
        keys = [documents.key_document(table, key, now) for key in table.keys]
        return _answer(request, path[1:], keys, options, "LogicalName")
    sides = {"OneToManyRelationships": "ReferencedEntity", "ManyToOneRelationships": "ReferencingEntity"}
    if path[1].name in sides:
        found = [item for item in _relationship_documents(env) if item[sides[path[1].name]] == table.name]
        return _answer(request, path[1:], found, options, "SchemaName")
    raise errors.no_resource(path[1].name)


def table_named(env: Environment, segment: Segment) -> Table:
    """The table of `EntityDefinitions(LogicalName='…')` or of its MetadataId."""
    wanted = _wanted(segment, "LogicalName")
    for table in env.schema.tables.values():
        if wanted in (table.name, table.metadata_id):
            return table
    raise Refusal(404, errors.NOT_FOUND, f"The entity with a name = '{wanted}' was not found in the MetadataCache.")


def column_named(table: Table, segment: Segment) -> Column:
    """The column of `Attributes(LogicalName='…')` or of its MetadataId."""
    wanted = _wanted(segment, "LogicalName")
    for column in table.columns.values():
        if wanted in (column.name, column.metadata_id):
            return column
    sentence = f"Could not find an attribute with specified name: {wanted} in table: {table.name}."
    raise Refusal(404, errors.NOT_FOUND, sentence)


def _attributes(
    env: Environment, request: ApiRequest, table: Table, path: Sequence[Segment], options: Options
) -> ApiResponse:
    cast = path[1].name.removeprefix(_CAST) if len(path) > 1 and path[1].name.startswith(_CAST) else None
    if len(path) > (2 if cast else 1):
        raise errors.no_resource(path[-1].name)
    if path[0].key is not None:
        column = column_named(table, path[0])
        if cast is not None and documents.attribute_type(column) != cast:
            raise Refusal(404, errors.NOT_FOUND, f"The attribute {column.name} is not of type {cast}.")
        return _one(request, _attribute(table, column, options, cast), options)
    columns = [c for c in table.columns.values() if cast is None or documents.attribute_type(c) == cast]
    found = [_attribute(table, column, options, cast) for column in columns]
    return _answer(request, path[:1], found, options, "LogicalName")


def _attribute(table: Table, column: Column, options: Options, cast: str | None) -> dict[str, Any]:
    document = documents.attribute_document(table, column)
    if cast is None:
        for name in options.select or ():
            if name not in documents.BASE_PROPERTIES:
                raise errors.unknown_property("AttributeMetadata", name)
    if not options.expand:
        return document
    if cast is None:
        raise errors.unknown_property("AttributeMetadata", options.expand[0][0])
    sets = documents.option_sets(table, column)
    for name, nested in options.expand:
        if name not in sets:
            raise errors.unknown_property(cast, name)
        document[name] = None if sets[name] is None else cut(sets[name], nested)
    return document


def _with_parts(env: Environment, table: Table, document: dict[str, Any], options: Options) -> dict[str, Any]:
    now = env.now().timestamp()
    parts: Mapping[str, Any] = {
        "Attributes": lambda: [documents.attribute_document(table, column) for column in table.columns.values()],
        "Keys": lambda: [documents.key_document(table, key, now) for key in table.keys],
    }
    for name, nested in options.expand:
        if name not in parts:
            raise errors.unknown_property("EntityMetadata", name)
        document[name] = [cut(item, nested) for item in _filtered(parts[name](), nested.filter)]
    return document


def _relationships(env: Environment, request: ApiRequest, path: Sequence[Segment], options: Options) -> ApiResponse:
    # A cast to OneToManyRelationshipMetadata changes nothing, since there are no others.
    kept = [segment for segment in path if not segment.name.startswith(_CAST)]
    return _answer(request, kept, _relationship_documents(env), options, "SchemaName")


def _relationship_documents(env: Environment) -> list[dict[str, Any]]:
    found = []
    for relationship in env.schema.relationships.values():
        column = env.schema.tables[relationship.referencing].columns[relationship.column]
        navigation = next((n for n, targets in column.navigation.items() if relationship.referenced in targets), None)
        referenced = env.schema.tables[relationship.referenced]
        found.append(documents.relationship_document(relationship, referenced, navigation))
    return found


def _answer(
    request: ApiRequest, path: Sequence[Segment], found: list[dict[str, Any]], options: Options, name: str
) -> ApiResponse:
    """A list, or the one that the last segment's key names."""
    if len(path) > 1:
        raise errors.no_resource(path[-1].name)
    if path[0].key is None:
        chosen = [cut(document, options) for document in _filtered(found, options.filter)]
        return ApiResponse(200, {"@odata.context": f"{request.root}/$metadata#{path[0].name}", "value": chosen})
    wanted = _wanted(path[0], name).lower()
    for document in found:
        if wanted in (str(document[name]).lower(), document["MetadataId"]):
            return _one(request, document, options)
    raise Refusal(404, errors.NOT_FOUND, f"{path[0].name} has no {name} '{wanted}'.")


def _one(request: ApiRequest, document: dict[str, Any], options: Options) -> ApiResponse:
    where = f"{request.root}/$metadata#{request.path.partition('(')[0]}/$entity"
    return ApiResponse(200, {"@odata.context": where, **cut(document, options)})


def cut(document: dict[str, Any], options: Options) -> dict[str, Any]:
    """The selected properties with the MetadataId, which always comes along."""
    if options.select is None:
        return document
    expanded = {name for name, _ in options.expand}
    kept = {"@odata.type", "MetadataId", *options.select, *expanded}
    unknown = next((name for name in options.select if name not in document), None)
    if unknown is not None:
        raise errors.unknown_property("MetadataBase", unknown)
    return {name: value for name, value in document.items() if name in kept}


def _filtered(found: list[dict[str, Any]], text: str | None) -> list[dict[str, Any]]:
    """`A eq 'x' and B eq true`, or the same joined by *or*: what metadata queries are made of."""
    if text is None:
        return found
    joint = " or " if " or " in text else " and "
    tests: list[tuple[str, Any]] = []
    for part in text.split(joint):
        match = _CONDITION.match(part.strip().strip("()"))
        if match is None:
            raise errors.syntax(f"This filter is not supported on metadata: {text}")
        literal = match.group(2)
        tests.append((match.group(1), literal == "true" if literal in ("true", "false") else literal_text(literal)))
    combine = any if joint == " or " else all
    return [item for item in found if combine(item.get(name) == value for name, value in tests)]


def _wanted(segment: Segment, name: str) -> str:
    if isinstance(segment.key, str):
        return segment.key
    if segment.key and set(segment.key) == {name}:
        return literal_text(segment.key[name])
    raise errors.syntax(f"Address a definition by {name} or MetadataId.")
