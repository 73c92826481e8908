"""Reads the metadata documents that an installer posts into entries of the definition grammar (see `definitions`).

Pure. Refuses documents without the members their type needs, in the words of the Web API where they are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.dataverse import errors
from sandbox.dataverse.schema import Option, Schema, stable_id

_NAMESPACE = "Microsoft.Dynamics.CRM."
_KINDS = ("String", "Memo", "Boolean", "Picklist", "MultiSelectPicklist", "Integer", "BigInt", "Decimal", "Double")
_TYPES = {f"{kind}AttributeMetadata": kind for kind in (*_KINDS, "Money", "DateTime")}
_LONGEST = {"String": 4000, "Memo": 1_048_576}


def members(document: Any, *names: str) -> dict[str, Any]:
    """The document as a mapping that has these members; 400 otherwise."""
    missing = [name for name in names if not isinstance(document, dict) or document.get(name) is None]
    if missing or not isinstance(document, dict):
        raise errors.invalid(f"Required parameter(s) missing: {', '.join(missing) or 'a JSON object'}.")
    return document


def table_entry(document: Any) -> tuple[str, dict[str, Any]]:
    """Logical name and entry of a new table."""
    body = members(document, "SchemaName", "DisplayName", "DisplayCollectionName", "Attributes")
    schema_name = str(body["SchemaName"])
    name = schema_name.lower()
    primary = next((item for item in body["Attributes"] if item.get("IsPrimaryName")), None)
    if primary is None:
        raise errors.invalid(f"The table {schema_name} needs an attribute with IsPrimaryName true.")
    return name, {
        "schema_name": schema_name,
        "set_name": str(body.get("EntitySetName") or _plural(name)),
        "label": label(body["DisplayName"]),
        "label_plural": label(body["DisplayCollectionName"]),
        "ownership": "user" if body.get("OwnershipType", "UserOwned") == "UserOwned" else "organization",
        "change_tracking": bool(body.get("ChangeTrackingEnabled", False)),
        "primary_name": {
            "name": str(primary["SchemaName"]),
            "label": label(primary.get("DisplayName")) or str(primary["SchemaName"]),
            "max_length": int(primary.get("MaxLength", 100)),
        },
    }


def table_changes(document: Any) -> dict[str, Any]:
    """What a PUT of a table may change, as fields of the model."""
    body = members(document)
    changes: dict[str, Any] = {}
    if "ChangeTrackingEnabled" in body:
        changes["change_tracking"] = bool(body["ChangeTrackingEnabled"])
    for member, field in (("DisplayName", "label"), ("DisplayCollectionName", "label_plural")):
        if label(body.get(member)):
            changes[field] = label(body[member])
    return changes


def column_entry(schema: Schema, document: Any) -> dict[str, Any]:
    """The entry of a column from its AttributeMetadata."""
    body = members(document, "SchemaName")
    kind = _kind(body)
    entry: dict[str, Any] = {
        "name": str(body["SchemaName"]),
        "label": label(body.get("DisplayName")) or str(body["SchemaName"]),
        "kind": kind,
        "required": _value(body.get("RequiredLevel")) in ("ApplicationRequired", "SystemRequired"),
        "min": body.get("MinValue"),
        "max": body.get("MaxValue"),
        "precision": body.get("Precision"),
    }
    if kind in _LONGEST:
        length = members(body, "MaxLength")["MaxLength"]
        if not isinstance(length, int) or not 1 <= length <= _LONGEST[kind]:
            raise errors.invalid(f"MaxLength of a {kind} column must be between 1 and {_LONGEST[kind]}.")
        entry |= {"max_length": length, "format": _value(body.get("FormatName")) if kind == "String" else None}
    if kind == "DateTime":
        entry |= {"format": body.get("Format", "DateAndTime"), "behavior": _value(body.get("DateTimeBehavior"))}
    if kind == "Boolean":
        entry["default"] = bool(body.get("DefaultValue", False))
    if kind in ("Picklist", "MultiSelectPicklist"):
        entry |= _choices(schema, body)
    return entry


def lookup_entry(document: Any) -> tuple[str, dict[str, Any]]:
    """The table that gets the lookup, and the lookup's entry, from a one-to-many relationship."""
    body = members(document, "SchemaName", "ReferencedEntity", "ReferencingEntity", "Lookup")
    kind = str(body.get("@odata.type", f"{_NAMESPACE}OneToManyRelationshipMetadata")).lstrip("#")
    if kind != f"{_NAMESPACE}OneToManyRelationshipMetadata":
        raise errors.invalid(f"Relationships of type {kind} are not supported here; use one-to-many.")
    lookup = members(body["Lookup"], "SchemaName")
    cascade = (body.get("CascadeConfiguration") or {}).get("Delete", "RemoveLink")
    return str(body["ReferencingEntity"]), {
        "name": str(lookup["SchemaName"]),
        "label": label(lookup.get("DisplayName")) or str(lookup["SchemaName"]),
        "target": str(body["ReferencedEntity"]),
        "relationship": str(body["SchemaName"]),
        "on_delete": cascade,
    }


def options(items: Any) -> tuple[Option, ...]:
    return tuple(option(item) for item in items)


def option(item: Mapping[str, Any]) -> Option:
    body = members(item, "Value")
    return Option(value=int(body["Value"]), label=label(body.get("Label")) or str(body["Value"]))


def label(document: Any) -> str:
    """The first localized label; "" when there is none."""
    localized = (document or {}).get("LocalizedLabels") or []
    return str(localized[0].get("Label") or "") if localized else ""


def _choices(schema: Schema, body: Mapping[str, Any]) -> dict[str, Any]:
    default = body.get("DefaultFormValue")
    common = {"default": default if default not in (None, -1) else None}
    bound = body.get("GlobalOptionSet@odata.bind")
    if bound is not None:
        for name, values in schema.choices.items():
            if f"'{name}'" in bound or stable_id("choice", name) in bound:
                return common | {"options": [[o.value, o.label] for o in values], "option_set": name}
        raise errors.invalid(f"The global choice {bound} does not exist.")
    values = options((body.get("OptionSet") or {}).get("Options") or [])
    return common | {"options": [[o.value, o.label] for o in values]}


def _kind(body: Mapping[str, Any]) -> str:
    name = str(body.get("@odata.type", "")).lstrip("#").removeprefix(_NAMESPACE)
    if name not in _TYPES:
        raise errors.payload("Attributes", f"The type '{name}' is no attribute type that can be created.")
    return _TYPES[name]


def _value(document: Any) -> str | None:
    return document.get("Value") if isinstance(document, dict) else None


def _plural(name: str) -> str:
    if name.endswith(("s", "x", "ch", "sh")):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}s"
