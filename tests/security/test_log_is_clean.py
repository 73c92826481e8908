"""The log and everything behind a handler (P11, I7): secrets, persons and quoted data are gone, the rest is left."""

from __future__ import annotations

import logging
import time

from shared.errors import Unavailable
from shared.redaction import redact, without_echo
from tests.security import canaries
from tests.security.stumbling import unforeseen

ROW = "3c9e1f60-7b47-f111-bec6-000d3a5b7c21"


def test_every_logger_and_handler_is_masked(log: list[str]) -> None:
    told = f"{canaries.AS_A_VENDOR_KNOWS_THEM} {canaries.CLIENT_SECRET} {canaries.SAS_KEY} {canaries.FUNCTION_KEY}"
    for name in ("cosell.canary.child", "cosell.other", "azure.core", "some.library", None):
        logger = logging.getLogger(name)
        logger.error("%s", told)
        logger.error(told)
        logger.error("%(a)s", {"a": told})
        logger.error({"a": told})
        logger.error("too few %s %s %s", told)
        logger.warning("with its place: %s", told, stack_info=True)
    assert len(log) == 30
    assert [line for line in log if canaries.found(line)] == []
    assert "cannot be formatted" in "".join(log)


def test_tracebacks_keep_the_place_and_lose_the_words(log: list[str]) -> None:
    logger = logging.getLogger("cosell.canary.child")
    for error in unforeseen():
        try:
            try:
                raise error
            except Exception as caught:
                raise RuntimeError(canaries.NOTE) from caught
        except RuntimeError:
            logger.exception("An unforeseen failure")
    text = "".join(log)
    assert "in unforeseen" in text
    assert "which led to" in text
    for kind in ("ValueError", "KeyError", "decimal.InvalidOperation", "ValidationError", "requests.exceptions"):
        assert kind in text
    assert canaries.found("".join(line for line in text.splitlines(keepends=True) if "canaries." not in line)) == []


def test_our_own_sentences_and_words_about_code_stay(log: list[str]) -> None:
    logger = logging.getLogger("cosell.canary.child")
    for error in (Unavailable("PC_DOWN", "It is down."), TypeError("unsupported operand"), AttributeError("no x")):
        try:
            raise error
        except Exception:
            logger.exception("failed")
    for words in ("PC_DOWN: It is down.", "TypeError: unsupported operand", "AttributeError: no x"):
        assert words in "".join(log)


def test_ordinary_lines_are_left_as_they_are() -> None:
    for line in (
        "partner-center-events 3c9e1f60: merged (1234 ms)",
        "2026-03-04T13:02:11.1041877+00:00 | CRM>PC | update | OK | name old>new | run 12345678 | ref 3c9e1f60",
        "PC_CONSENT: The sign-in is no longer valid (invalid_grant AADSTS50173). code: 0x80060882, status code 401",
        "The signature does not belong to this body and certificate. bearer token missing",
        "sweep since 2026-03-04T13:02:11+00:00: 47 compared, 1 with a difference, 1 hints",
        "listening on 127.0.0.1:5672, key: cosell_name, 4862210, 1.5 s",
    ):
        assert redact(line) == line


def test_masking_is_linear() -> None:
    began = time.process_time()
    for text in ("a" * 200_000, "a." * 100_000, "a@" * 100_000, "eyJ" * 60_000, "+1 " * 60_000, "password=" * 20_000):
        redact(text)
    assert time.process_time() - began < 2


def test_an_echo_in_parts_is_masked_and_ids_stay() -> None:
    words = f"'{canaries.NOTE[:40]}…' is too long for SOL-1 in /details/notes of {ROW}: Closed"
    left = without_echo(words, [{"op": "replace", "path": "/details/notes", "value": canaries.NOTE}, ROW, "Closed"])
    assert left == f"'***…' is too long for SOL-1 in /details/notes of {ROW}: Closed"
    assert without_echo("O.K. is ab c", {"a": "ab c", "b": None, "c": 7}) == "O.K. is ***"
