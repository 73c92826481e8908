"""Bodies the connector sends to the Referrals API, held against the OpenAPI file the vendor publishes.

The file stands in `../shared/contracts` beside the checkout; it is Microsoft's, so it is not copied into it. Where it
is absent nothing is checked, and `test_outgoing_bodies` says so as a skipped test. Where the connector knowingly
departs from the file, the reason stands at the place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from shared.clients import wire

FILE = Path(__file__).resolve().parents[3] / "shared" / "contracts" / "partner-center-referrals.swagger.json"
_PREFIX = "Microsoft.Partner.Service.PartnerReferrals.Contracts.V3."
_DOCUMENTED = {"/team/-/title", "/customerProfile/team/-/title"}
"""Not in the file, but in the resource page's table of a member and in captured answers."""
checked: dict[str, int] = {"POST": 0, "PATCH": 0}
"""Bodies validated in this process, by method."""


def available() -> bool:
    return FILE.is_file()


def check(method: str, body: Any) -> None:
    """Fails when a body of a POST or PATCH is not what the contract says, or has members that it does not know."""
    if method not in checked or not available():
        return
    sent = json.loads(wire.dumps(body))
    if method == "POST":
        jsonschema.Draft4Validator(_referral()).validate(sent)
        unknown = sorted(_unknown(sent, _referral(), ""))
        assert unknown == [], f"the contract does not know {', '.join(unknown)}"
    else:
        jsonschema.Draft4Validator(_update()).validate(sent)
        for operation in sent:
            _check_value(operation)
    checked[method] += 1


def _check_value(operation: Mapping[str, Any]) -> None:
    """The value against the schema of the place it goes to."""
    schema: Any = _referral()
    for name in operation["path"].removeprefix("/").split("/"):
        schema = schema["items"] if name == "-" else schema["properties"][name]
    if operation["value"] is not None:  # clears the property; the file never says what may be null
        jsonschema.Draft4Validator(schema).validate(operation["value"])


@cache
def _referral() -> dict[str, Any]:
    schema: dict[str, Any] = _definition("Referral")
    # The file allows four words; captures hold a percentage as text, and the resource page calls it free text.
    schema["properties"]["salesStage"].pop("enum", None)
    # The file puts the list's properties beside its items and an object's below `items`; every example has a list.
    requirements = schema["properties"]["details"]["properties"]["requirements"]["properties"]
    pair = {"type": "object", "properties": {"type": {"type": "string"}, "id": {"type": "string"}}}
    attributes = {"type": "array", "items": pair}
    requirements["additionalRequirements"] = {"type": "object", "properties": {"attributes": attributes}}
    return schema


@cache
def _update() -> dict[str, Any]:
    schema = _definition("UpdateReferralDetails")
    # The portal lets people rename a deal; the file's list does not have it. See the client's list of paths.
    schema["items"]["properties"]["path"]["enum"].append("/name")
    schema["items"]["required"] = ["op", "path", "value"]
    return schema


def _definition(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))["definitions"][_PREFIX + name]
    return found


def _unknown(value: Any, schema: Any, place: str) -> Iterator[str]:
    """Members without a place in the schema; where the file names no properties at all, anything goes."""
    if isinstance(value, list):
        for item in value:
            yield from _unknown(item, schema.get("items", {}), f"{place}/-")
    elif isinstance(value, dict) and "properties" in schema:
        for name, member in value.items():
            if name in schema["properties"]:
                yield from _unknown(member, schema["properties"][name], f"{place}/{name}")
            elif f"{place}/{name}" not in _DOCUMENTED:
                yield f"{place}/{name}"
