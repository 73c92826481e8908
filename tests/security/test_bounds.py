"""Bounded input (P10), as far as the trust decision goes: sizes, encodings and JSON that tries to be expensive.

The host reads the body before the function runs; what it hands over must cost no more than looking at it.
"""

from __future__ import annotations

import gzip
import time
import tracemalloc
from collections.abc import Callable

import pytest

from shared.errors import Rejected
from shared.trust import WebhookTrust
from shared.webhook.bounds import check_size, read_object
from tests.security import pki
from tests.security.doubles import Hand, Shelf

LIMIT = 64 * 1024
GOOD = pki.event_body()


def admit(body: bytes, **headers: str | None) -> object:
    """Correctly signed, so that only the form is at fault."""
    return WebhookTrust(Shelf(), Hand(), pki.policy()).admit(pki.headers(body, **headers), body)


def padded(size: int) -> bytes:
    """A good event of exactly that many bytes."""
    return GOOD + b" " * (size - len(GOOD))


def with_member(text: bytes) -> bytes:
    return GOOD.rstrip(b"}\n") + b", " + text + b"}"


BODIES: dict[str, tuple[str, int, Callable[[], bytes]]] = {
    "one-byte-too-many": ("BODY_TOO_LARGE", 413, lambda: padded(LIMIT + 1)),
    "ten-megabytes": ("BODY_TOO_LARGE", 413, lambda: padded(10_000_000)),
    "empty": ("NOT_JSON", 400, lambda: b""),
    "spaces": ("NOT_JSON", 400, lambda: b" " * 100),
    "not-json": ("NOT_JSON", 400, lambda: b"EventName=referral-updated"),
    "cut-short": ("NOT_JSON", 400, lambda: GOOD[:-2]),
    "two-values": ("NOT_JSON", 400, lambda: GOOD + GOOD),
    "single-quotes": ("NOT_JSON", 400, lambda: GOOD.replace(b'"', b"'")),
    "comment": ("NOT_JSON", 400, lambda: GOOD + b"// x"),
    "control-character-in-string": ("NOT_JSON", 400, lambda: with_member(b'"x": "a\nb"')),
    "list": ("NOT_AN_OBJECT", 400, lambda: b"[" + GOOD + b"]"),
    "string": ("NOT_AN_OBJECT", 400, lambda: b'"referral-updated"'),
    "null": ("NOT_AN_OBJECT", 400, lambda: b"null"),
    "number": ("NOT_AN_OBJECT", 400, lambda: b"1"),
    "lists-10000-deep": ("TOO_DEEP", 400, lambda: b"[" * 10_000 + b"]" * 10_000),
    "lists-60000-deep-unclosed": ("TOO_DEEP", 400, lambda: b"[" * 60_000),
    "objects-6000-deep": ("TOO_DEEP", 400, lambda: b'{"a":' * 6_000 + b"1" + b"}" * 6_000),
    "deep-below-an-event": ("TOO_DEEP", 400, lambda: with_member(b'"x": ' + b"[" * 16 + b"]" * 16)),
    "deep-after-a-tricky-string": ("TOO_DEEP", 400, lambda: with_member(b'"\\"[": ' + b"[" * 17)),
    "same-member-twice": ("DUPLICATE_MEMBER", 400, lambda: with_member(b'"EventName": "test-created"')),
    "same-member-in-other-case": ("DUPLICATE_MEMBER", 400, lambda: with_member(b'"eventName": "test-created"')),
    "same-member-escaped": ("DUPLICATE_MEMBER", 400, lambda: with_member(b'"\\u0045ventName": "test-created"')),
    "same-member-inside": ("DUPLICATE_MEMBER", 400, lambda: with_member(b'"x": {"a": 1, "A": 2}')),
    "nan": ("NOT_JSON", 400, lambda: with_member(b'"x": NaN')),
    "infinity": ("NOT_JSON", 400, lambda: with_member(b'"x": Infinity')),
    "minus-infinity": ("NOT_JSON", 400, lambda: with_member(b'"x": -Infinity')),
    "byte-order-mark": ("NOT_UTF8", 400, lambda: b"\xef\xbb\xbf" + GOOD),
    "utf-16": ("NOT_UTF8", 400, lambda: GOOD.decode().encode("utf-16")),
    "utf-16-without-mark": ("NOT_UTF8", 400, lambda: GOOD.decode().encode("utf-16-be")),
    "utf-32": ("NOT_UTF8", 400, lambda: GOOD.decode().encode("utf-32")),
    "latin-1": ("NOT_UTF8", 400, lambda: with_member('"x": "é"'.encode("latin-1"))),
    "overlong-utf-8": ("NOT_UTF8", 400, lambda: with_member(b'"x": "\xc0\xaf"')),
    "surrogate-utf-8": ("NOT_UTF8", 400, lambda: with_member(b'"x": "\xed\xa0\x80"')),
    "gzip": ("NOT_UTF8", 400, lambda: gzip.compress(GOOD)),
}

HEADERS: dict[str, tuple[str, dict[str, str | None]]] = {
    "no-content-type": ("WRONG_CONTENT_TYPE", {"Content_Type": None}),
    "empty-content-type": ("WRONG_CONTENT_TYPE", {"Content_Type": ""}),
    "text": ("WRONG_CONTENT_TYPE", {"Content_Type": "text/plain"}),
    "form": ("WRONG_CONTENT_TYPE", {"Content_Type": "application/x-www-form-urlencoded"}),
    "xml": ("WRONG_CONTENT_TYPE", {"Content_Type": "application/xml"}),
    "json-suffix": ("WRONG_CONTENT_TYPE", {"Content_Type": "application/jsonx"}),
    "json-then-text": ("WRONG_CONTENT_TYPE", {"Content_Type": "application/json, text/plain"}),
    "latin-1": ("WRONG_CONTENT_TYPE", {"Content_Type": "application/json; charset=iso-8859-1"}),
    "utf-16": ("WRONG_CONTENT_TYPE", {"Content_Type": "application/json; charset=utf-16"}),
    "gzip": ("ENCODED_BODY", {"Content_Encoding": "gzip"}),
    "brotli": ("ENCODED_BODY", {"Content_Encoding": "br"}),
    "gzip-and-identity": ("ENCODED_BODY", {"Content_Encoding": "identity, gzip"}),
}


@pytest.mark.parametrize("name", BODIES)
def test_body_is_refused(name: str) -> None:
    code, status, make = BODIES[name]
    with pytest.raises(Rejected) as refusal:
        admit(make())
    assert (refusal.value.code, refusal.value.status) == (code, status)


@pytest.mark.parametrize("name", HEADERS)
def test_content_headers_are_refused(name: str) -> None:
    code, headers = HEADERS[name]
    with pytest.raises(Rejected) as refusal:
        admit(GOOD, **headers)
    assert (refusal.value.code, refusal.value.status) == (code, 400)


@pytest.mark.parametrize(
    "body",
    [
        padded(LIMIT),
        with_member(b'"x": ' + b"[" * 15 + b"]" * 15),
        with_member(b'"x": "' + b"[{" * 1000 + b'"'),
        with_member(b'"x": ' + b"9" * 60_000),
        with_member(b'"x": 1e999999999999, "y": -0.0'),
        with_member('"x": "é ✔ 𝕏"'.encode()),
    ],
    ids=["largest", "deepest", "brackets-in-a-string", "60000-digits", "beyond-float", "beyond-ascii"],
)
def test_within_the_bounds_is_accepted(body: bytes) -> None:
    assert admit(body)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
def test_content_types_that_mean_json(content_type: str) -> None:
    assert admit(GOOD, Content_Type=content_type, Content_Encoding="identity")


@pytest.mark.parametrize(
    "body",
    [b'"' + b'\\"' * 32_000, b'"' * 65_000, b"\\" * 65_000, b'"\\' * 32_000, b'{"a":"' * 10_000],
    ids=["escaped-quotes", "quotes", "backslashes", "open-escapes", "open-strings"],
)
def test_scanning_is_linear(body: bytes) -> None:
    """A scanner that goes back over the text would need minutes for these."""
    began = time.process_time()
    with pytest.raises(Rejected):
        read_object(body, pki.policy())
    assert time.process_time() - began < 1.0


def test_memory_does_not_grow_with_the_request() -> None:
    bodies = [make() for _, _, make in BODIES.values()]
    huge = bytes(100_000_000)
    tracemalloc.start()
    try:
        for body in bodies:
            with pytest.raises(Rejected):
                admit(body[: 2 * LIMIT])
        with pytest.raises(Rejected):
            check_size(huge, pki.policy())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000
