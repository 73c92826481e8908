"""Dataverse's refusals: status, code and sentence, as the Web API words them. Rendered by `api.render`."""

from __future__ import annotations

from sandbox.tokens import Refusal

NOT_FOUND = "0x80040217"
NOT_FOUND_BY_KEY = "0x80060891"
VERSION_MISMATCH = "0x80060882"
DUPLICATE_ID = "0x80040237"
DUPLICATE_KEY = "0x80060892"
PAYLOAD = "0x80048d19"
SYNTAX = "0x80060888"
INVALID_ARGUMENT = "0x80040203"
STATE_MISMATCH = "0x80048408"
PRIVILEGE_DENIED = "0x80040220"


def payload(set_name: str, detail: str) -> Refusal:
    """A body that does not fit the table: undeclared property, wrong literal, wrong case of a navigation name."""
    return Refusal(
        400,
        PAYLOAD,
        f"Error identified in Payload provided by the user for Entity :'{set_name}', For more information on this error"
        " please follow this help link https://go.microsoft.com/fwlink/?linkid=2195293  ---->  InnerException :"
        f" Microsoft.OData.ODataException: {detail}",
    )


def undeclared(set_name: str, table: str, name: str) -> Refusal:
    """A member of the body that is no property of the table; a bind under a wrong name says so in its own words."""
    if "@" in name:
        return payload(
            set_name,
            f"An undeclared property '{name.partition('@')[0]}' which only has property annotations in the payload but"
            " no property value was found in the payload. In OData, only declared navigation properties and declared"
            " named streams can be represented as properties without values.",
        )
    return payload(
        set_name,
        f"The property '{name}' does not exist on type 'Microsoft.Dynamics.CRM.{table}'. Make sure to only use property"
        " names that are defined by the type.",
    )


def unknown_property(table: str, name: str) -> Refusal:
    """An unknown name in the URL."""
    return Refusal(400, SYNTAX, f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table}'.")


def syntax(sentence: str) -> Refusal:
    return Refusal(400, SYNTAX, sentence)


def invalid(sentence: str) -> Refusal:
    return Refusal(400, INVALID_ARGUMENT, sentence)


def missing(table: str, row_id: str) -> Refusal:
    return Refusal(404, NOT_FOUND, f"{table} With Id = {row_id} Does Not Exist")


def missing_by_key(table: str) -> Refusal:
    return Refusal(404, NOT_FOUND_BY_KEY, f"A record with the specified key values does not exist in {table} entity")


def no_resource(segment: str) -> Refusal:
    return Refusal(404, SYNTAX, f"Resource not found for the segment '{segment}'.")


def version_mismatch() -> Refusal:
    return Refusal(
        412, VERSION_MISMATCH, "The version of the existing record doesn't match the RowVersion property provided."
    )


def already_exists() -> Refusal:
    return Refusal(412, DUPLICATE_ID, "A record with matching key values already exists.")


def privilege_denied(privilege: str, user_id: str) -> Refusal:
    return Refusal(
        403,
        PRIVILEGE_DENIED,
        f"Principal user (Id={user_id}, type=8, roleCount=1, privilegeCount=300) is missing {privilege} privilege"
        " on the object type.",
    )
