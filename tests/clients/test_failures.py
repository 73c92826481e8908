"""Every HTTP status and every exception class of the SDKs has a meaning; what is added later must get one, too."""

from __future__ import annotations

import inspect
import ssl
from types import ModuleType
from typing import Any

import pytest
import requests
from azure.core import exceptions as core
from azure.servicebus import exceptions as sb
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError
from urllib3.exceptions import SSLError as Urllib3SSLError

from shared.clients import failures
from shared.clients.dataverse import DATAVERSE
from shared.clients.failures import EXCEPTIONS, from_answer, from_exception
from shared.clients.partner_center import PARTNER_CENTER
from shared.clients.wire import Problem
from shared.errors import (
    AuthorizationError,
    Bug,
    ConfigurationError,
    Conflict,
    DataProblem,
    NotFound,
    SyncError,
    Throttled,
    Unavailable,
    UnknownOutcome,
)

EXPECTED: dict[type[SyncError], set[int]] = {
    DataProblem: {400, 413, 422},
    AuthorizationError: {401, 403},
    ConfigurationError: {301, 302, 303, 305, 307, 308, 402, 407, 511},
    NotFound: {404, 410},
    Conflict: {409, 412},
    Throttled: {429},
    Unavailable: {408, 423, 424, 425, *range(500, 600)} - {501, 505, 511},
}
WITHOUT_MEANING = {"BaseHTTPError", "CompatJSONDecodeError"}
"""Imported by `requests.exceptions` from elsewhere; requests wraps them before they reach a caller."""


def test_every_status_is_one_of_the_tree() -> None:
    for status in (*range(100, 200), *range(300, 600)):
        expected = next((kind for kind, statuses in EXPECTED.items() if status in statuses), Bug)
        error = from_answer(Problem(status, "", "secret words of the vendor"), PARTNER_CENTER, repeatable=True)
        assert type(error) is expected, status
        assert error.code.startswith("PC_"), status
        assert error.sentence.endswith("."), status
        assert "{" not in str(error), status
        assert "secret words" not in str(error), f"{status}: the vendor's words may hold customer data"
        assert error.detail == "secret words of the vendor", status


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 599])
def test_what_may_have_been_applied_is_an_unknown_outcome(status: int) -> None:
    error = from_answer(Problem(status), DATAVERSE, repeatable=False)
    assert type(error) is UnknownOutcome


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 429])
def test_what_was_certainly_not_applied_keeps_its_meaning(status: int) -> None:
    assert type(from_answer(Problem(status), DATAVERSE, repeatable=False)) is type(
        from_answer(Problem(status), DATAVERSE, repeatable=True)
    )


@pytest.mark.parametrize("module", [requests.exceptions, core, sb], ids=lambda module: module.__name__)
def test_every_exception_of_the_sdks_is_mapped(module: ModuleType) -> None:
    found = {
        name: kind
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and issubclass(kind, Exception) and not issubclass(kind, Warning)
    }
    assert len(found) > 15, "the SDK's exceptions have moved; look for them"
    unmapped = {name for name, kind in found.items() if kind not in EXCEPTIONS} - WITHOUT_MEANING
    assert unmapped == set(), "give each of them a meaning in shared.clients.failures.EXCEPTIONS"


def made(kind: type[BaseException]) -> BaseException:
    """An instance without running the SDK's constructors, which all want something else."""
    error = kind.__new__(kind)
    error.args = ("Bearer secret",)
    if isinstance(error, requests.RequestException):
        error.response = None
    return error


@pytest.mark.parametrize("repeatable", [True, False])
def test_every_exception_becomes_a_sentence(repeatable: bool) -> None:
    for kind, meaning in EXCEPTIONS.items():
        error = from_exception(made(kind), PARTNER_CENTER, repeatable=repeatable)
        assert isinstance(error, SyncError), kind
        assert type(error) in {meaning.kind, UnknownOutcome, Unavailable}, kind
        assert "secret" not in f"{error} {error.detail}", kind
        assert "{" not in str(error), kind


def test_an_unknown_exception_is_a_bug() -> None:
    assert type(from_exception(RuntimeError("x"), PARTNER_CENTER, repeatable=True)) is Bug


def refused() -> requests.ConnectionError:
    connection = HTTPConnection("localhost", 1)
    return requests.ConnectionError(MaxRetryError(Any, "/", NewConnectionError(connection, "refused")))  # type: ignore[arg-type]  # the pool is not looked at


def test_a_call_that_never_left_is_unavailable_even_when_it_must_not_be_repeated() -> None:
    for error in (refused(), requests.ConnectTimeout("slow")):
        assert failures.never_sent(error)
        assert type(from_exception(error, PARTNER_CENTER, repeatable=False)) is Unavailable


@pytest.mark.parametrize(
    "kind", [requests.ReadTimeout, requests.ConnectionError, requests.exceptions.ChunkedEncodingError]
)
def test_a_call_that_broke_off_is_an_unknown_outcome(kind: type[Exception]) -> None:
    assert type(from_exception(kind("x"), PARTNER_CENTER, repeatable=False)) is UnknownOutcome
    assert type(from_exception(kind("x"), PARTNER_CENTER, repeatable=True)) is Unavailable


def test_an_untrusted_certificate_is_the_operators_business() -> None:
    reason = Urllib3SSLError(ssl.SSLCertVerificationError("self-signed"))
    error = requests.exceptions.SSLError(MaxRetryError(Any, "/", reason))  # type: ignore[arg-type]  # as above
    assert from_exception(error, PARTNER_CENTER, repeatable=True).code == "PC_TLS"


@pytest.mark.parametrize(
    ("status", "code", "kind", "expected"),
    [
        (412, "0x80060882", Conflict, "DV_VERSION"),
        (412, "0x80040237", Conflict, "DV_DUPLICATE"),
        (412, "0x80060892", Conflict, "DV_DUPLICATE"),
        (500, "0x80040333", Conflict, "DV_DUPLICATE"),
        (404, "0x80060891", NotFound, "DV_NOT_FOUND"),
        (400, "0x80040265", DataProblem, "DV_RULE"),
        (400, "0x80044331", DataProblem, "DV_LIMIT"),
        (400, "0x8004431A", DataProblem, "DV_CHOICE"),
        (400, "0x80048d19", ConfigurationError, "DV_COLUMN"),
        (400, "0x80040203", DataProblem, "DV_REJECTED"),
        (403, "0x80040220", AuthorizationError, "DV_FORBIDDEN"),
        (403, "0x80072560", AuthorizationError, "DV_NO_USER"),
    ],
)
def test_dataverses_own_code_says_more_than_the_status(
    status: int, code: str, kind: type[SyncError], expected: str
) -> None:
    error = from_answer(Problem(status, code, "words"), DATAVERSE, repeatable=True)
    assert (type(error), error.code, error.detail) == (kind, expected, "words")


@pytest.mark.parametrize("status", [400, 409, 412])
@pytest.mark.parametrize("code", ["resourceModified", "preconditionFailed", "PRECONDITIONFAILED"])
def test_partner_centers_conflicts_whatever_their_status(status: int, code: str) -> None:
    assert from_answer(Problem(status, code), PARTNER_CENTER, repeatable=True).code == "PC_VERSION"


def test_a_missing_second_factor_is_told_apart() -> None:
    error = from_answer(Problem(401, "900421"), PARTNER_CENTER, repeatable=True)
    assert (type(error), error.code) == (AuthorizationError, "PC_MFA")
    assert "admin consent" in error.remedy
