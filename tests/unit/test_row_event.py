"""Reading what Dataverse posts: the real shape, oversized messages, missing members, and what is no message at all."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from shared.errors import DataProblem
from shared.row_event import parse
from tests.unit.dataverse_messages import DELETE, NOBODY, OPERATION_ID, ROW_ID, STEP_ID, UPDATE, USER_ID, body, entity


def test_an_update_as_dataverse_posts_it() -> None:
    event = parse(body(UPDATE))
    assert (event.message, event.table, event.row_id) == ("Update", "opportunity", uuid.UUID(ROW_ID))
    assert (event.user_id, event.operation_id) == (USER_ID, OPERATION_ID)
    assert event.organization_id == "5f0d9c3e-2a41-4b6e-9c1d-8a7b6c5d4e3f"
    assert (event.tagged, event.complete) == (False, True)


def test_values_lose_their_wrapping() -> None:
    event = parse(body(UPDATE))
    assert event.target["estimatedvalue"] == 125000.00
    assert event.target["cosell_syncstatus"] == 100000001
    assert event.target["modifiedby"] == ("systemuser", USER_ID)
    assert event.target["attempts"] == 2
    assert event.target["cosell_syncwithpartnercenter"] is True
    assert event.target["estimatedclosedate"] == "/Date(1793318400000)/", "dates are read from the row again"


def test_a_column_after_the_change_and_before_it() -> None:
    event = parse(body(UPDATE))
    assert event.known("name") == "Fabrikam cloud move, phase 2"
    assert event.known("statecode") == 0
    assert event.known("description") is None, "cleared by this change: the old text does not count"
    assert event.known("never_heard_of") is None


def test_a_delete_knows_the_row_from_its_pre_image() -> None:
    event = parse(body(DELETE))
    assert (event.message, event.target) == ("Delete", {})
    assert event.before == {"cosell_referralidentifier": "c0a1b2c3"}
    assert event.complete


OVERSIZED = ("ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages")


@pytest.mark.parametrize("value", ["absent", None, []], ids=["absent", "null", "empty"])
def test_an_oversized_message_still_names_its_row(value: Any) -> None:
    cut = body(UPDATE, without=OVERSIZED) if value == "absent" else body(UPDATE, **dict.fromkeys(OVERSIZED, value))
    event = parse(cut)
    assert event.row_id == uuid.UUID(ROW_ID)
    assert not event.complete
    assert (event.target, event.before) == ({}, {})


@pytest.mark.parametrize(
    "member", [m for m in UPDATE if m not in ("PrimaryEntityId", "PrimaryEntityName", "MessageName")]
)
def test_any_other_member_may_be_missing_or_odd(member: str) -> None:
    assert parse(body(UPDATE, without=(member,))).row_id == uuid.UUID(ROW_ID)
    odd: tuple[Any, ...] = (None, 5, "text", [], {}, [5], [{"key": "Target"}], {"Id": 5})
    for value in odd:
        assert parse(body(UPDATE, **{member: value})).row_id == uuid.UUID(ROW_ID), value


@pytest.mark.parametrize("member", ["PrimaryEntityId", "PrimaryEntityName", "MessageName"])
def test_a_message_that_does_not_say_what_changed(member: str) -> None:
    with pytest.raises(DataProblem) as caught:
        parse(body(UPDATE, without=(member,)))
    assert caught.value.code == "UNREADABLE_MESSAGE"
    assert caught.value.sentence == f"The message is not a Dataverse change: it has no {member}."
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "its JSON cannot be read"),
        (b"{", "its JSON cannot be read"),
        (b"<Envelope/>", "its JSON cannot be read"),
        (b"[]", "it is not a JSON object"),
        (b'"text"', "it is not a JSON object"),
        (b"null", "it is not a JSON object"),
        (b"\xff\xfe{}", "codec"),
        (b"[" * 200_000, "recursion"),
        (body(UPDATE, PrimaryEntityId="opportunity"), "hexadecimal UUID"),
        (body(UPDATE, PrimaryEntityId=None), "hexadecimal UUID"),
    ],
    ids=["empty", "half", "XML", "a list", "a text", "null", "UTF-16", "deep", "no GUID", "null GUID"],
)
def test_what_is_no_message(content: bytes, why: str) -> None:
    with pytest.raises(DataProblem) as caught:
        parse(content)
    assert caught.value.code == "UNREADABLE_MESSAGE"
    assert why in caught.value.sentence
    assert caught.value.__cause__ is None


def test_text_and_bytes_with_a_mark_in_front() -> None:
    assert parse(b"\xef\xbb\xbf" + body(UPDATE)) == parse("\ufeff" + body(UPDATE).decode()) == parse(body(UPDATE))


# -- the same change twice -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("operation", [NOBODY, "", None])
def test_a_change_without_operation_id_is_named_by_what_it_has(operation: str | None) -> None:
    first, again = parse(body(UPDATE, OperationId=operation)), parse(body(UPDATE, OperationId=operation))
    assert first.operation_id == again.operation_id
    assert STEP_ID in first.operation_id
    later = parse(body(UPDATE, OperationId=operation, OperationCreatedOn="/Date(1777886128000+0000)/"))
    other = parse(body(UPDATE, OperationId=operation, CorrelationId="7f0a2d5c-90c7-4f0e-8d43-5a1b7b9d2e11"))
    assert len({first.operation_id, later.operation_id, other.operation_id}) == 3


def test_without_operation_id_and_step() -> None:
    assert parse(body(UPDATE, OperationId=None, OwningExtension="x")).operation_id.endswith("/Update/")


# -- our own tag -----------------------------------------------------------------------------------------------------
TAG = [{"key": "tag", "value": "cosell-sync"}]


def _nested(depth: int) -> dict[str, Any]:
    context: dict[str, Any] = {"SharedVariables": TAG}
    for _ in range(depth - 1):
        context = {"SharedVariables": [], "ParentContext": context}
    return context


@pytest.mark.parametrize(
    ("changes", "tagged"),
    [
        ({"SharedVariables": TAG}, True),
        ({"SharedVariables": [{"key": "tag", "value": "other"}]}, False),
        ({"SharedVariables": [{"key": "Tag", "value": "cosell-sync"}]}, False),
        ({"ParentContext": _nested(1)}, True),
        ({"ParentContext": _nested(15)}, True),
        ({"ParentContext": _nested(16)}, False),
        ({"ParentContext": "text"}, False),
        ({}, False),
    ],
    ids=["ours", "another's", "other casing", "in the parent", "in the 15th", "too deep", "odd parent", "none"],
)
def test_our_own_tag(changes: dict[str, Any], tagged: bool) -> None:
    assert parse(body(UPDATE, **changes)).tagged is tagged


def test_another_tag_may_be_asked_for() -> None:
    assert parse(body(UPDATE, SharedVariables=[{"key": "tag", "value": "mine"}]), tag="mine").tagged


def test_the_type_may_stand_anywhere_in_an_object() -> None:
    reference = {"LogicalName": "account", "Id": ROW_ID, "__type": "EntityReference:x"}
    value = {"Attributes": [{"key": "a", "value": reference}, {"key": "b", "value": {"LogicalName": "x", "Id": "y"}}]}
    event = parse(json.dumps({**UPDATE, "InputParameters": [{"key": "Target", "value": value}]}))
    assert event.target == {"a": ("account", ROW_ID), "b": ("x", "y")}


# -- what goes back to a queue -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "message", [UPDATE, DELETE, {**UPDATE, "SharedVariables": TAG}, {**UPDATE, "InputParameters": None},
                {**UPDATE, "OperationId": None}],
    ids=["update", "delete", "tagged", "oversized", "without operation id"],
)  # fmt: skip
def test_the_essence_is_the_same_change_without_words(message: dict[str, Any]) -> None:
    event = parse(body(message))
    again = parse(event.essence())
    kept = ("message", "table", "row_id", "user_id", "operation_id", "organization_id", "correlation_id", "tagged",
            "complete")  # fmt: skip
    assert [getattr(again, name) for name in kept] == [getattr(event, name) for name in kept]
    assert again.target.keys() == event.target.keys()
    for column in ("estimatedvalue", "cosell_syncstatus", "modifiedby", "cosell_syncwithpartnercenter", "statecode"):
        assert again.known(column) == event.known(column)
    assert parse(again.essence()) == again
    for word in ("Fabrikam", "Old text", "Mozilla"):
        assert word not in event.essence()


def test_ids_are_no_words() -> None:
    target = entity({"a": ROW_ID, "cosell_referralidentifier": "c0a1-b2", "cosell_solutionid": "free text", "b": None})
    event = parse(parse(body(UPDATE, InputParameters=[{"key": "Target", "value": target}])).essence())
    assert event.target == {"a": ROW_ID, "cosell_referralidentifier": "c0a1-b2", "cosell_solutionid": None, "b": None}
