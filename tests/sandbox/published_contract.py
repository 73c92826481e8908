"""Answers of the simulated Partner Center against the OpenAPI files the vendor publishes.

The files stand in `../shared/contracts` beside the checkout; they are Microsoft's, so they are not copied into it.
Where they are absent nothing is checked here, and `test_partner_center_contract` says so as a skipped test. Exceptions
stand where they are made, each with its source.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import requests

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "contracts"
_FILES = {
    "/v1.0/engagements": "partner-center-referrals.swagger.json",
    "/webhooks/v1": "webhooks.swagger.json",
}
checked: dict[str, int] = {}
"""Operation → answers validated in this process."""


def available() -> bool:
    return all((FOLDER / name).is_file() for name in _FILES.values())


def check_answer(method: str, path: str, answer: requests.Response) -> None:
    """Fails when a successful JSON answer of one of the two APIs is not what its contract says."""
    prefix = next((one for one in _FILES if path.startswith(one)), None)
    if prefix is None or not answer.ok or not answer.content or not available():
        return
    template, schema = _schema(prefix, method, urlsplit(path).path)
    body = answer.json()
    if prefix == "/webhooks/v1":
        body = _camel_case(body)
    jsonschema.Draft4Validator(schema).validate(_without_nulls(body))
    operation = f"{method} {prefix}{template}"
    checked[operation] = checked.get(operation, 0) + 1


@lru_cache
def _contract(prefix: str) -> dict[str, Any]:
    contract: dict[str, Any] = json.loads((FOLDER / _FILES[prefix]).read_text(encoding="utf-8"))
    return contract


@lru_cache
def _schema(prefix: str, method: str, path: str) -> tuple[str, dict[str, Any]]:
    contract = _contract(prefix)
    rest = path.removeprefix(prefix).split("/")
    versioned = {template.replace("/v{version}", ""): template for template in contract["paths"]}
    template = next(one for one in versioned if _fits(one.split("/"), rest))
    responses = contract["paths"][versioned[template]][method.lower()]["responses"]
    # Sources disagree whether a created referral is answered 200 (this contract), 201 or 202; and a 204 with a
    # representation is a 200, as the contract's own PATCH operation describes the body.
    response = responses.get("200") or responses["204"]
    schema = response["schema"]
    if (method, template) == ("POST", "/registration/validationEvents"):
        # The contract says a bare string; the webhooks page shows this object.
        schema = {"type": "object", "required": ["correlationId"]}
    return template, _relaxed(schema) | {"definitions": _relaxed(contract["definitions"])}


def _fits(template: list[str], path: list[str]) -> bool:
    return len(template) == len(path) and all(t == p or t.startswith("{") for t, p in zip(template, path, strict=True))


def _relaxed(schema: Any) -> Any:
    """Without the four words of `salesStage`: captures hold a percentage as text, and the page calls it free text."""
    if isinstance(schema, list):
        return [_relaxed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    relaxed = {name: _relaxed(part) for name, part in schema.items()}
    if "Qualify" in relaxed.get("enum", ()):
        del relaxed["enum"]
    return relaxed


def _without_nulls(value: Any) -> Any:
    """Swagger 2.0 cannot say "or null"; captured answers hold nulls nearly everywhere."""
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return value


def _camel_case(value: Any) -> Any:
    """The documentation's examples print PascalCase, the contract camelCase."""
    if isinstance(value, list):
        return [_camel_case(item) for item in value]
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _camel_case(part) for name, part in value.items()}
    return value
