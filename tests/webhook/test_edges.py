"""The exact edges of the trust decision: the last value that is accepted and the first that is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import Rejected
from shared.trust import WebhookTrust
from shared.webhook.event import Kind, read
from tests.security import pki
from tests.security.doubles import Hand, Shelf

BODY = pki.event_body()
SECOND = timedelta(seconds=1)


def code_of(
    headers: object = None, body: bytes = BODY, certificate: bytes | None = None, now: datetime = pki.NOW
) -> str:
    trust = WebhookTrust(Shelf(certificate), Hand(now), pki.policy())
    try:
        trust.admit(pki.headers(body) if headers is None else headers, body)  # type: ignore[arg-type]  # any shape
    except Rejected as refusal:
        return refusal.code
    return "accepted"


# headers --------------------------------------------------------------------------------------------------------------
def test_headers_of_no_interest_may_come_first_and_be_long() -> None:
    assert code_of([("X-Forwarded-For", "1" * 9000), ("traceparent", "00"), *pki.headers(BODY)]) == "accepted"


def test_the_longest_header() -> None:
    longest = pki.headers(BODY, Authorization="Signature " + "A" * 4086)
    assert code_of(longest) == "BAD_BASE64"
    assert code_of(pki.headers(BODY, Authorization="Signature " + "A" * 4087)) == "HEADER_TOO_LONG"


@pytest.mark.parametrize(
    "value", ["\x0capplication/json", "\napplication/json", "Xapplication/json", "application/jsonX"]
)
def test_only_spaces_and_tabs_around_the_content_type(value: str) -> None:
    assert code_of(pki.headers(BODY, Content_Type=value)) == "WRONG_CONTENT_TYPE"
    assert code_of(pki.headers(BODY, Content_Type=" \tapplication/json\t ")) == "accepted"


# certificates ---------------------------------------------------------------------------------------------------------
def test_the_first_and_the_last_second_of_a_certificate() -> None:
    starts = pki.NOW - timedelta(days=2)
    certificate = pki.leaf(starts=starts, days=4).der
    assert code_of(certificate=certificate, now=starts - SECOND) == "EXPIRED_CERTIFICATE"
    assert code_of(certificate=certificate, now=starts) == "accepted"
    assert code_of(certificate=certificate, now=starts + timedelta(days=4)) == "accepted"
    assert code_of(certificate=certificate, now=starts + timedelta(days=4) + SECOND) == "EXPIRED_CERTIFICATE"


def test_the_largest_file_of_a_certificate() -> None:
    pem = pki.signer().pem
    assert code_of(certificate=pem.ljust(64 * 1024, b"\n")) == "accepted"
    assert code_of(certificate=pem.ljust(64 * 1024 + 1, b"\n")) == "UNREADABLE_CERTIFICATE"


def test_a_certificate_is_read_to_its_end_before_it_is_checked() -> None:
    """One extension twice: the parser notices only when it is asked for the extensions."""
    subject_key, authority_key = b"\x06\x03\x55\x1d\x0e", b"\x06\x03\x55\x1d\x23"
    assert pki.signer().der.count(subject_key) == 1
    assert code_of(certificate=pki.signer().der.replace(subject_key, authority_key)) == "UNREADABLE_CERTIFICATE"


# events ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("address", "code"), [("x", "accepted"), ("x" * 2048, "accepted"), ("x" * 2049, "MALFORMED_EVENT")]
)
def test_the_shortest_and_the_longest_address(address: str, code: str) -> None:
    body = pki.event_body(ResourceUri=address)
    assert code_of(body=body) == code


def test_a_letter_that_becomes_ascii_in_lower_case_is_not_ascii() -> None:
    """The Kelvin sign becomes a k."""
    address = f"https://api.partnercenter.microsoft.com/\u212a/referrals/{pki.REFERRAL}"
    assert address.lower().isascii()
    assert read(pki.event_body(ResourceUri=address), pki.NOW, pki.policy()).kind is Kind.IGNORED


@pytest.fixture
def _tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_tokyo")
@pytest.mark.parametrize("text", ["2026-03-04T13:02:11", "2026-03-04T13:02:11Z", "2026-03-04T08:02:11-05:00"])
def test_moments_are_utc_whatever_the_machine_thinks(text: str) -> None:
    found = read(pki.event_body(ResourceChangeUtcDate=text), pki.NOW, pki.policy()).changed_at
    assert found == datetime(2026, 3, 4, 13, 2, 11, tzinfo=UTC)
    assert found.tzinfo is UTC


# depth ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("nested", "code"),
    [
        (b"[" + b",".join([b"[]"] * 100) + b"]", "accepted"),
        (b"[" * 15 + b"[],[]" + b"]" * 15, "TOO_DEEP"),
        (b"[" + b",".join([b"[]"] * 20) + b"," + b"[" * 15 + b"]" * 15 + b"]", "TOO_DEEP"),
        (b"[" * 8 + b"[]," + b"[" * 8 + b"]" * 8 + b"]" * 8, "TOO_DEEP"),
        (b"[" * 8 + b"[]," + b"[" * 7 + b"]" * 7 + b"]" * 8, "accepted"),
    ],
    ids=["wide", "at the bottom", "deep after many", "deeper after one", "as deep after one"],
)
def test_closing_brackets_count(nested: bytes, code: str) -> None:
    """Below the event's own level."""
    assert code_of(body=BODY.rstrip(b"}\n") + b', "x": ' + nested + b"}") == code
