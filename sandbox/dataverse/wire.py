"""Requests and answers of the Web API as plain data, so that `$batch` can run them without a socket.

`ApiRequest` is made by `api` from HTTP or by `batch` from a part; `Preferences` reads the Prefer header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from sandbox.dataverse import errors
from sandbox.dataverse.environment import Caller, Environment
from sandbox.dataverse.schema import Table
from sandbox.tokens import Refusal

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOGICAL_NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"
ETAG = re.compile(r'^W/"(\d+)"$')


@dataclass(frozen=True)
class ApiRequest:
    """One request below the API root. `path` is still percent-encoded; header names are lower-case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    caller: Caller
    root: str
    """Absolute URL of the API root as the client sees it."""

    def json(self) -> Any:
        """The body, fractions as Decimal."""
        try:
            return json.loads(self.body, parse_float=Decimal, parse_constant=_no_constant)
        except ValueError as error:
            raise Refusal(
                400, errors.PAYLOAD, "Error identified in Payload provided by the user: the body is not valid JSON."
            ) from error


@dataclass
class ApiResponse:
    status: int = 204
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()


@dataclass(frozen=True)
class Preferences:
    """What the Prefer header asks for."""

    representation: bool = False
    annotations: tuple[str, ...] = ()
    page_size: int | None = None
    track_changes: bool = False
    continue_on_error: bool = False

    def wants(self, annotation: str) -> bool:
        return any(fnmatchcase(annotation, pattern) for pattern in self.annotations)

    def applied(self) -> dict[str, str]:
        """The Preference-Applied header."""
        parts = ["return=representation"] if self.representation else []
        parts += [f'odata.include-annotations="{",".join(self.annotations)}"'] if self.annotations else []
        parts += [f"odata.maxpagesize={self.page_size}"] if self.page_size else []
        parts += ["odata.track-changes"] if self.track_changes else []
        return {"Preference-Applied": ",".join(parts)} if parts else {}


def preferences(headers: Mapping[str, str]) -> Preferences:
    text = headers.get("prefer", "")
    annotations = re.search(r'odata\.include-annotations\s*=\s*"?([^"]*)"?', text)
    rest = text.replace(annotations.group(), "") if annotations else text
    names = {part.strip() for part in rest.split(",")}
    size = re.search(r"odata\.maxpagesize\s*=\s*(\d+)", rest)
    return Preferences(
        representation="return=representation" in names,
        annotations=tuple(part.strip() for part in annotations.group(1).split(",")) if annotations else (),
        page_size=min(max(int(size.group(1)), 1), 5000) if size else None,
        track_changes="odata.track-changes" in names,
        continue_on_error="odata.continue-on-error" in names,
    )


def require_privilege(env: Environment, caller: Caller, verb: str, table: Table) -> None:
    """403 when the connector's role lacks `prv<verb><Table>`; other users may do everything."""
    privilege = f"prv{verb}{table.schema_name}"
    if caller.is_connector and privilege in env.switches.denied_privileges:
        raise errors.privilege_denied(privilege, caller.user_id)


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")
