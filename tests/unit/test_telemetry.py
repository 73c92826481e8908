"""The last net under the logs: secrets and people masked in messages, arguments and tracebacks."""

from __future__ import annotations

import logging

import pytest

from shared.errors import Unavailable
from shared.redaction import redact
from shared.telemetry import Redaction, configure, describe


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Bearer abcdefgh.ijklmnop", "Bearer"),
        ("https://f.example/api?code=hunter2hunter2&x=1", "f.example"),
        ("SharedAccessKey=hunter2hunter2=;EntityPath=q", "SharedAccessKey"),
        ("client_secret: 'hunter2hunter2'", "client_secret"),
        ("token eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl was refused", "was refused"),
        ("write to ada.example+crm@customer.example please", "please"),
    ],
)
def test_what_looks_like_a_secret_or_a_person_is_masked(text: str, kept: str) -> None:
    made = redact(text)
    assert "***" in made
    assert kept in made
    for canary in ("hunter2", "abcdefgh", "eyJ", "ada.example"):
        assert canary not in made


def test_ordinary_words_stay() -> None:
    text = "referral 1f0c6a52 updated: details/dealValue 1>2 in 35 ms"
    assert redact(text) == text


def _record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("x", logging.INFO, "f.py", 1, message, args, info)


def _shown(record: logging.LogRecord, *secrets: str) -> str:
    assert Redaction(secrets).filter(record)
    return logging.Formatter().format(record)


def test_arguments_are_masked_too() -> None:
    assert "ada@" not in _shown(_record("user %s and %d", "ada@customer.example", 5))
    assert "top-secret" not in _shown(_record("value %s", "top-secret"), "top-secret")
    assert _shown(_record("a short word ab"), "ab") == "a short word ab", "too short to be a secret"


@pytest.mark.parametrize(("message", "args"), [("%d items", ("x",)), ("%s %s", ("x",)), ("%(name)s", ({"other": 1},))])
def test_a_line_that_cannot_be_formatted_does_not_stop_the_work(message: str, args: tuple[object, ...]) -> None:
    assert "cannot be formatted" in _shown(_record(message, *args))
    assert "hunter22" not in _shown(_record("hunter22 %d", "x"), "hunter22")


def _raised(error: BaseException) -> BaseException:
    try:
        raise error
    except type(error) as caught:
        return caught


def test_a_traceback_keeps_the_places_and_loses_the_words() -> None:
    shown = _shown(_record("failed", error=_raised(ValueError("ada@customer.example said no"))))
    assert "ValueError" in shown
    assert "in _raised" in shown
    assert "said no" not in shown.replace("_raised", "")


def test_our_own_errors_keep_their_sentence() -> None:
    assert "SB_DOWN: Service Bus is down." in describe(_raised(Unavailable("SB_DOWN", "Service Bus is down.")))


def test_the_net_lies_under_every_logger() -> None:
    before = logging.getLogRecordFactory()
    try:
        configure(["hunter2hunter2"])
        configure(["hunter2hunter2"])
        record = logging.getLogRecordFactory()("any", logging.INFO, "f.py", 1, "a %s", ("hunter2hunter2",), None)
        assert record.getMessage() == "a ***"
    finally:
        logging.setLogRecordFactory(before)


def test_a_chain_of_causes_has_an_end() -> None:
    error: Exception = ValueError("0")
    for number in range(20):
        following = ValueError(str(number))
        following.__cause__ = error
        error = following
    assert describe(error).count("ValueError") == 5
