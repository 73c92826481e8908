"""The schema as the metadata endpoints show it: EntityMetadata, AttributeMetadata, keys, relationships, choices.

Pure: models in, documents out. `metadata` finds and selects them, `metadata_writes` goes the other way.
"""

from __future__ import annotations

from typing import Any

from sandbox.dataverse.schema import LOOKUPS, Column, Key, Option, Relationship, Table, stable_id

_LANGUAGE = 1033
NO_OBJECT = "00000000-0000-0000-0000-000000000000"
_TYPES = {"MultiSelectPicklist": "Virtual"}
_METADATA_TYPES = {"Uniqueidentifier": "UniqueIdentifierAttributeMetadata", "Customer": "LookupAttributeMetadata"}
_METADATA_TYPES |= {"Owner": "LookupAttributeMetadata"}
BASE_PROPERTIES = frozenset(
    {
        "MetadataId",
        "LogicalName",
        "SchemaName",
        "EntityLogicalName",
        "AttributeType",
        "AttributeTypeName",
        "DisplayName",
        "Description",
        "RequiredLevel",
        "IsCustomAttribute",
        "IsManaged",
        "IsPrimaryId",
        "IsPrimaryName",
        "IsValidForCreate",
        "IsValidForRead",
        "IsValidForUpdate",
    }
)
"""What every attribute has; the rest is seen through a cast only."""


def label(text: str) -> dict[str, Any]:
    localized = {"Label": text, "LanguageCode": _LANGUAGE, "IsManaged": False, "MetadataId": NO_OBJECT}
    return {"LocalizedLabels": [localized], "UserLocalizedLabel": localized}


def managed(value: Any, name: str, *, changeable: bool = True) -> dict[str, Any]:
    return {"Value": value, "CanBeChanged": changeable, "ManagedPropertyLogicalName": name}


def entity_document(table: Table) -> dict[str, Any]:
    return {
        "MetadataId": table.metadata_id,
        "LogicalName": table.name,
        "SchemaName": table.schema_name,
        "EntitySetName": table.set_name,
        "LogicalCollectionName": table.set_name,
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "OwnershipType": "UserOwned" if table.ownership == "user" else "OrganizationOwned",
        "IsCustomEntity": table.custom,
        "IsActivity": table.primary_id == "activityid",
        "IsManaged": False,
        "ChangeTrackingEnabled": table.change_tracking,
        "IsOptimisticConcurrencyEnabled": True,
        "DisplayName": label(table.label),
        "DisplayCollectionName": label(table.label_plural),
        "Description": label(table.label),
    }


def attribute_type(column: Column) -> str:
    """The metadata type's name, without the namespace."""
    return _METADATA_TYPES.get(column.kind, f"{column.kind}AttributeMetadata")


def attribute_document(table: Table, column: Column) -> dict[str, Any]:
    """All properties, those of its own type included."""
    return {
        "@odata.type": f"#Microsoft.Dynamics.CRM.{attribute_type(column)}",
        "MetadataId": column.metadata_id,
        "LogicalName": column.name,
        "SchemaName": column.schema_name,
        "EntityLogicalName": table.name,
        "AttributeType": _TYPES.get(column.kind, column.kind),
        "AttributeTypeName": {"Value": f"{column.kind}Type"},
        "DisplayName": label(column.label),
        "Description": label(column.label),
        "RequiredLevel": managed(
            "ApplicationRequired" if column.required else "None", "canmodifyrequirementlevelsettings"
        ),
        "IsCustomAttribute": column.custom,
        "IsManaged": False,
        "IsPrimaryId": column.name == table.primary_id,
        "IsPrimaryName": column.name == table.primary_name,
        "IsValidForCreate": column.creatable,
        "IsValidForRead": column.readable,
        "IsValidForUpdate": column.updatable,
        **_own_members(column),
    }


def option_sets(table: Table, column: Column) -> dict[str, Any]:
    """What `$expand=OptionSet,GlobalOptionSet` of a choice brings; empty for other types."""
    if column.kind == "Boolean":
        options = {
            "TrueOption": _option(Option(value=1, label="Yes")),
            "FalseOption": _option(Option(value=0, label="No")),
        }
        return {"OptionSet": {"OptionSetType": "Boolean", "IsGlobal": False, **options}, "GlobalOptionSet": None}
    if not column.options:
        return {}
    is_global = column.option_set is not None
    name = column.option_set or f"{table.name}_{column.name}"
    document = choice_document(name, column.options, column.kind, is_global=is_global)
    return {"OptionSet": document, "GlobalOptionSet": document if is_global else None}


def choice_document(
    name: str, options: tuple[Option, ...], kind: str = "Picklist", *, is_global: bool = True
) -> dict[str, Any]:
    return {
        "@odata.type": "#Microsoft.Dynamics.CRM.OptionSetMetadata",
        "MetadataId": stable_id("choice", name),
        "Name": name,
        "IsGlobal": is_global,
        "OptionSetType": "Picklist" if kind == "MultiSelectPicklist" else kind,
        "DisplayName": label(name),
        "Options": [_option(option) for option in options],
    }


def key_document(table: Table, key: Key, now: float) -> dict[str, Any]:
    state = "Failed" if key.failed else "Active" if key.active_at <= now else "Pending"
    return {
        "MetadataId": key.metadata_id,
        "LogicalName": key.name,
        "SchemaName": key.schema_name,
        "EntityLogicalName": table.name,
        "KeyAttributes": list(key.columns),
        "EntityKeyIndexStatus": state,
        "DisplayName": label(key.schema_name),
        "IsManaged": False,
    }


def relationship_document(relationship: Relationship, referenced: Table, navigation: str | None) -> dict[str, Any]:
    return {
        "@odata.type": "#Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
        "MetadataId": relationship.metadata_id,
        "SchemaName": relationship.schema_name,
        "RelationshipType": "OneToManyRelationship",
        "ReferencedEntity": relationship.referenced,
        "ReferencedAttribute": referenced.primary_id,
        "ReferencingEntity": relationship.referencing,
        "ReferencingAttribute": relationship.column,
        "ReferencedEntityNavigationPropertyName": relationship.schema_name,
        "ReferencingEntityNavigationPropertyName": navigation,
        "IsCustomRelationship": "_" in relationship.column,
        "CascadeConfiguration": {
            "Assign": "NoCascade",
            "Delete": relationship.on_delete,
            "Merge": "NoCascade",
            "Reparent": "NoCascade",
            "Share": "NoCascade",
            "Unshare": "NoCascade",
        },
    }


def _own_members(column: Column) -> dict[str, Any]:
    if column.kind == "String":
        return {
            "MaxLength": column.max_length,
            "Format": column.format or "Text",
            "FormatName": {"Value": column.format or "Text"},
        }
    if column.kind == "Memo":
        return {"MaxLength": column.max_length, "Format": "TextArea", "ImeMode": "Disabled", "IsLocalizable": False}
    if column.kind in ("Integer", "BigInt", "Decimal", "Double", "Money"):
        limits = {"MinValue": column.min, "MaxValue": column.max}
        if column.kind in ("Integer", "BigInt"):
            return {name: None if value is None else int(value) for name, value in limits.items()} | {"Format": "None"}
        precision = {"Precision": column.precision if column.precision is not None else 2}
        return limits | precision | ({"PrecisionSource": 2} if column.kind == "Money" else {})
    if column.kind == "Boolean":
        return {"DefaultValue": bool(column.default)}
    if column.kind == "DateTime":
        return {"Format": column.format, "DateTimeBehavior": {"Value": column.behavior}}
    if column.kind in LOOKUPS:
        return {"Targets": list(column.targets)}
    return {"DefaultFormValue": -1 if column.default is None else column.default} if column.options else {}


def _option(option: Option) -> dict[str, Any]:
    state = {} if option.state is None else {"State": option.state}
    return {"Value": option.value, **state, "Label": label(option.label), "IsManaged": False, "Color": None}
