"""Hints and parked messages on the wire, and what is said about a message that is none."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import DataProblem
from shared.messages import Hint, ParkedMessage, Queue, parse

ID = uuid.UUID("1f0c6a52-7d34-4a1b-8a55-3f1f6b2d9e70")
RUN = uuid.UUID("7f3a1c55-0000-4000-8000-000000000001")
HINT = Hint(
    subject="referral", id=ID, reason="referral-updated", engagement_id=RUN, correlation_id=RUN,
    occurred_at=datetime(2026, 3, 4, tzinfo=UTC), version="7", attempt=2,
    first_seen_at=datetime(2026, 3, 3, tzinfo=UTC),
)  # fmt: skip


def test_a_hint_is_camel_case_on_the_wire_and_comes_back() -> None:
    text = HINT.to_json()
    for member in ("schemaVersion", "subject", "reason", "engagementId", "correlationId", "occurredAt", "firstSeenAt"):
        assert f'"{member}":' in text
    assert parse(text) == parse(text.encode()) == HINT


def test_what_is_none_is_left_out() -> None:
    assert "engagementId" not in Hint(subject="opportunity", id=ID, reason="sweep").to_json()


def test_a_hint_without_correlation_gets_one() -> None:
    small = b'{"subject": "opportunity", "id": "%s", "reason": "sweep", "novelty": 1}' % str(ID).upper().encode()
    first, second = parse(small), parse(small)
    assert first.row_id == str(ID)
    assert first.correlation_id != second.correlation_id


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("", "the message: Invalid JSON"),
        ("{", "the message: Invalid JSON"),
        ("[]", "the message: Input should be an object"),
        ("null", "the message: Input should be an object"),
        ("{}", "subject: Field required"),
        ('{"subject": "referral", "reason": "x"}', "id: Field required"),
        ('{"subject": "referral", "reason": "x", "id": "1"}', "id: Input should be a valid UUID"),
        ('{"subject": 5, "reason": "x", "id": "1"}', "subject: Input should be a valid string"),
        (f'{{"subject": "referral", "reason": "x", "id": "{ID}", "attempt": "often"}}', "attempt: Input should be"),
        (f'{{"subject": "referral", "reason": "x", "id": "{ID}", "occurredAt": "soon"}}', "occurredAt: Input should"),
        (b"\xff\xfe{}", "the message: Invalid JSON"),
        ("[" * 100_000, "the message: Invalid JSON"),
    ],
    ids=["empty", "half", "a list", "null", "an object", "no id", "no GUID", "no text", "no number", "no time",
         "no UTF-8", "deep"],
)  # fmt: skip
def test_what_is_no_hint(body: bytes | str, where: str) -> None:
    with pytest.raises(DataProblem) as caught:
        parse(body)
    assert caught.value.code == "UNREADABLE_MESSAGE"
    assert caught.value.sentence.startswith(f"The message is not a hint of this connector: {where}")
    assert caught.value.remedy
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "changes",
    [{"subject": "lead"}, {"id": RUN}, {"reason": "sweep"}, {"version": "8"}, {"attempt": 3}],
    ids=lambda changes: next(iter(changes)),
)
def test_two_changes_are_two_messages(changes: dict[str, Any]) -> None:
    assert HINT.message_id("q") == HINT.model_copy().message_id("q")
    assert HINT.model_copy(update=changes).message_id("q") != HINT.message_id("q")


def test_a_message_id_is_short_and_knows_its_queue() -> None:
    ids = {HINT.message_id(queue) for queue in Queue}
    assert len(ids) == len(Queue) == 7
    assert {len(one) for one in ids} == {40}


def test_without_a_version_the_correlation_tells_messages_apart() -> None:
    bare = HINT.model_copy(update={"version": ""})
    assert bare.message_id("q") == bare.model_copy(update={"first_seen_at": None}).message_id("q")
    assert bare.message_id("q") != bare.model_copy(update={"correlation_id": ID}).message_id("q")


def test_a_parked_message_keeps_the_body_as_it_was() -> None:
    body = '{"odd":  "spacing ✔"}'
    parked = ParkedMessage(
        code="PC_REJECTED", sentence="No.", remedy="Yes.", queue=Queue.CREATE_COSELL_REFERRAL, correlation_id="c",
        body=body, parked_at=datetime(2026, 3, 4, tzinfo=UTC),
    )  # fmt: skip
    back = ParkedMessage.model_validate_json(parked.to_json())
    assert back == parked
    assert back.body == body
