"""The limits of a webhook request's body: size, encoding, nesting, and JSON that can be read in one way only.

`check_size` and `check_text` look at the raw request and parse nothing, so they run before the signature is known to
be good; `read_object` parses and must run only afterwards. Every failure is a `Rejected`, never a RecursionError or a
UnicodeDecodeError. What the members mean is the business of `event`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from shared.errors import Rejected
from shared.webhook.policy import TrustPolicy

_CONTENT_TYPE = re.compile(r'application/json(?:[ \t]*;[ \t]*charset="?utf-8"?)?', re.IGNORECASE)
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""A string as a whole (possessive, so linear even when it never ends) or one bracket."""


def check_size(body: bytes, policy: TrustPolicy) -> None:
    """`Rejected` 413 when the body is larger than any event."""
    if len(body) > policy.max_body_bytes:
        raise Rejected(
            "BODY_TOO_LARGE",
            f"The body is larger than {policy.max_body_bytes} bytes.",
            "Partner Center's events are far smaller; nothing needs to be done about this request.",
            status=413,
        )


def check_text(headers: Mapping[str, str], body: bytes) -> None:
    """`Rejected` 400 unless the body is plain UTF-8 that calls itself JSON; `headers` by lower-case name."""
    if not _CONTENT_TYPE.fullmatch(headers.get("content-type", "").strip(" \t")):
        raise _refused("WRONG_CONTENT_TYPE", "The content type is not application/json in UTF-8.")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise _refused("ENCODED_BODY", "The body is compressed or otherwise encoded.")
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise _refused("NOT_UTF8", "The body begins with a byte order mark.")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused("NOT_UTF8", "The body is not UTF-8.") from None
    if b"\0" in body:
        raise _refused("NOT_UTF8", "The body holds NUL bytes, as UTF-16 would.")


def read_object(body: bytes, policy: TrustPolicy) -> dict[str, Any]:
    """The members of a JSON object by lower-case name; numbers are not converted (no member we use is one)."""
    if _depth(body) > policy.max_depth:
        raise _refused("TOO_DEEP", f"The JSON is nested deeper than {policy.max_depth} levels.")
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_members,
            parse_constant=_no_constant,
            parse_int=_number,
            parse_float=_number,
        )
    except json.JSONDecodeError:
        raise _refused("NOT_JSON", "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise _refused("NOT_AN_OBJECT", "The body is not a JSON object.")
    return value


def _depth(body: bytes) -> int:
    """The deepest nesting of brackets outside strings; meaningful for any bytes, JSON or not."""
    depth = deepest = 0
    for token in _TOKENS.finditer(body):
        first = token[0][:1]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = {name.lower(): value for name, value in pairs}
    if len(members) != len(pairs):
        raise _refused("DUPLICATE_MEMBER", "A JSON object holds the same member twice (upper and lower case are one).")
    return members


def _no_constant(name: str) -> NoReturn:
    raise _refused("NOT_JSON", f"{name} is not JSON.")


def _number(_digits: str) -> int:
    """Stands for any number: it costs nothing, whatever the count of its digits, and is no text."""
    return 0


def _refused(code: str, sentence: str) -> Rejected:
    return Rejected(code, sentence, "Only Partner Center's own events are accepted here.", status=400)
