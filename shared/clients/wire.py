"""JSON as the vendors speak it: amounts stay exact in both directions, and error bodies are read in every known shape.

`dumps` writes a Decimal as a JSON number (never through float), dates and UTC moments as the vendors spell them;
`loads` reads numbers with a fraction as Decimal. `read_problem` is the one parser for error answers: it never raises,
because a gateway may answer anything. What an error means is decided in `shared.clients.failures`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

_LONGEST_MESSAGE = 1024
_LONGEST_PAUSE_S = 86_400.0


def dumps(value: Any) -> str:
    """Compact ASCII JSON. `TypeError` for types without a wire form, `ValueError` for NaN and infinity."""
    match value:
        case str():
            return json.dumps(value)
        case Decimal():
            if not value.is_finite():
                raise ValueError("NaN and infinity have no JSON form")
            return format(value, "f")
        case datetime():
            return json.dumps(moment(value))
        case date():
            return json.dumps(value.isoformat())
        case UUID():
            return json.dumps(str(value))
        case Mapping():
            return "{" + ",".join(f"{json.dumps(str(key))}:{dumps(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(dumps, value)) + "]"
        case _:
            return json.dumps(value, allow_nan=False)


def loads(content: bytes | str) -> Any:
    """The value of a JSON text; `ValueError` when it is none, however broken, deep or long."""
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def moment(value: datetime) -> str:
    """`2026-05-04T09:15:26Z`, with a fraction only when there is one. `value` must be aware."""
    if value.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Problem:
    """An error answer in one shape. `code` is "" when the body had none; `message` is the vendor's, shortened."""

    status: int
    code: str = ""
    message: str = ""
    retry_after_s: float | None = None


def read_problem(status: int, headers: Mapping[str, str], content: bytes, now: datetime) -> Problem:
    """The problem in an error answer: `error` object or OAuth error, flat `code`/`message`, HTML, text or nothing."""
    retry_after_s = retry_after(headers.get("Retry-After"), now)
    try:
        body = loads(content)
    except ValueError:  # also UnicodeDecodeError: gateways answer HTML in any encoding
        text = " ".join(content.decode("utf-8", "replace").split())
        return Problem(status, "", text[:_LONGEST_MESSAGE], retry_after_s)
    code, message = _code_and_message(body)
    return Problem(status, code, message[:_LONGEST_MESSAGE], retry_after_s)


def _code_and_message(body: Any) -> tuple[str, str]:
    if not isinstance(body, dict):
        return "", body if isinstance(body, str) else ""
    flat = {str(key).lower(): value for key, value in body.items()}
    error = flat.get("error")
    if isinstance(error, dict):
        code, message = _code_and_message(error)
        return code, message
    if isinstance(error, str):  # OAuth: {"error": "invalid_grant", "error_description": "…"}
        return error, str(flat.get("error_description") or "")
    code, message = str(flat.get("code") or ""), str(flat.get("message") or flat.get("description") or "")
    inner = flat.get("innererror")
    if isinstance(inner, dict):
        # Partner Center's most specific code is the innermost; Dataverse's inner error has none.
        inner_code, inner_message = _code_and_message(inner)
        return inner_code or code, message or inner_message
    return code, message


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait from a `Retry-After` header (seconds or HTTP date); None when absent or unreadable."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (TypeError, ValueError):  # TypeError: a date without zone cannot be subtracted
            return None
    return min(max(seconds, 0.0), _LONGEST_PAUSE_S) if seconds == seconds else None
