"""OData's `$batch`: several GETs in one multipart request, and their answers in the order in which they were asked.

Pure. With `odata.continue-on-error` one failed part does not keep the others from being answered; what a failure means
is decided by `shared.clients.http`, as for any other answer. Only reads are batched: a write needs its own precondition
and its own place in the retry ladder. Format: Dataverse's Web API, "Execute batch operations".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException, parse_headers
from io import BytesIO

from requests.structures import CaseInsensitiveDict

LARGEST = 1_000
"""Most operations of one batch."""
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r?\n")


@dataclass(frozen=True)
class Part:
    """One answer. `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def request(boundary: str, paths: Sequence[str], headers: Mapping[str, str]) -> tuple[Mapping[str, str], bytes]:
    """Headers and body that ask for `paths`, each with `headers`."""
    lines: list[str] = []
    for path in paths:
        lines += [f"--{boundary}", "Content-Type: application/http", "Content-Transfer-Encoding: binary", ""]
        lines += [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    lines += [f"--{boundary}--", ""]
    outer = {"Content-Type": f'multipart/mixed; boundary="{boundary}"', "Prefer": "odata.continue-on-error"}
    return outer, "\r\n".join(lines).encode("ascii")


def answers(content_type: str, content: bytes) -> list[Part]:
    """The parts of the answer; `ValueError` when it is none."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise ValueError("not a multipart answer")
    first, *pieces = (b"\r\n" + content).split(b"\r\n--" + boundary.group(1).encode("latin-1"))
    if first.strip() or not pieces or not pieces[-1].startswith(b"--"):
        raise ValueError("the answer has no end")
    return [_part(piece) for piece in pieces[:-1]]


def _part(piece: bytes) -> Part:
    """The HTTP answer inside one MIME part."""
    _, _, inner = piece.partition(b"\r\n\r\n")
    status = _STATUS.match(inner)
    if status is None:
        raise ValueError("a part is no HTTP answer")
    rest = BytesIO(inner[status.end() :])
    try:
        headers = parse_headers(rest)
    except HTTPException as error:
        raise ValueError("a part has no readable headers") from error
    return Part(int(status.group(1)), CaseInsensitiveDict(headers.items()), rest.read())
