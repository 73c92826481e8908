"""P15: whatever Partner Center or Dataverse add, drop or twist, it is mapped or a typed problem, never another failure.

Every position of a full referral and of a full Dataverse message is replaced by every odd value; then pairs of
positions are, at random but seeded.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

from shared.domain import classify, incoming, status
from shared.domain.opportunity import Opportunity
from shared.domain.outgoing import microsoft_body, operations
from shared.domain.plan import merge
from shared.domain.referral import Referral
from shared.domain.state import SyncState, parse
from shared.domain.terms import Terms
from shared.errors import DataProblem
from shared.row_event import parse as parse_event
from tests.unit import pairs
from tests.unit.dataverse_messages import DELETE, UPDATE

type Path = tuple[str | int, ...]
MISSING = object()
ODD: tuple[Any, ...] = (
    MISSING, None, True, False, 0, -1, 10**30, 1.5, "", " ", "text", "Unheard-of word", "\ud83d", "x" * 5000, "\x00",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", [], {}, [None], [[]], [{}], ["text"], {"": ""},
    {"novelty": {"deep": [1]}}, [1, "a", None, {"id": 5}],
)  # fmt: skip


def _paths(node: Any, at: Path = ()) -> Iterator[Path]:
    if at:
        yield at
    parts = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, part in parts:
        yield from _paths(part, (*at, key))


def _opened(document: dict[str, Any], at: Path) -> tuple[dict[str, Any], Any]:
    """A copy of the document and, in it, what holds the position; only what lies on the way is copied."""
    made = copy.copy(document)
    holder: Any = made
    for key in at[:-1]:
        holder[key] = copy.copy(holder[key])
        holder = holder[key]
    return made, holder


def _mutated(document: dict[str, Any], at: Path, value: Any) -> dict[str, Any]:
    made, holder = _opened(document, at)
    if value is MISSING:
        del holder[at[-1]]
    else:
        holder[at[-1]] = value
    return made


def _twisted(document: dict[str, Any], at: Path) -> Iterator[dict[str, Any]]:
    """The member a second time under another casing, a list entry doubled, an unknown neighbour."""
    made, holder = _opened(document, at)
    if isinstance(holder, list):
        holder.append(holder[int(at[-1])])
    else:
        holder[str(at[-1]).upper()] = "another"
        holder["noveltyOf" + str(at[-1])] = {"a": [None, {"b": 1}]}
    yield made


def _mutants(document: dict[str, Any], pairs_of_positions: int, seed: str) -> Iterator[dict[str, Any]]:
    paths = list(_paths(document))
    for at in paths:
        for value in ODD:
            yield _mutated(document, at, value)
        yield from _twisted(document, at)
    dice = random.Random(seed)
    for _ in range(pairs_of_positions):
        first, second = dice.sample(paths, 2)
        if first[: len(second)] == second or second[: len(first)] == first:
            continue  # the one holds the other
        made = _mutated(document, first, dice.choice([value for value in ODD if value is not MISSING]))
        yield _mutated(made, second, dice.choice([value for value in ODD if value is not MISSING]))


@cache
def _pair() -> tuple[Terms, Opportunity, SyncState]:
    """Terms, an opportunity, and its base with the full referral; all of them are frozen."""
    known, row = pairs.terms(), pairs.opportunity()
    return known, row, pairs.in_step(pairs.referral(), row, known)


def _use(document: dict[str, Any]) -> None:
    """Everything the flows do with a referral, up to the bytes they would write."""
    known, row, state = _pair()
    referral = Referral.model_validate(document)
    classify.wanted(classify.kind(referral, referral), classify.InboundPolicy())
    assert isinstance(referral.is_microsofts or referral.is_closed, bool)
    for columns in (
        incoming.mapped(referral, known.mapping.opportunity, known), incoming.lead(referral, known),
        incoming.account(referral, known), incoming.identity(referral, known), incoming.microsoft_columns(referral),
        incoming.standing(referral, known, None), incoming.direction(referral, known),
        *(incoming.contact(member, known) for member in referral.customer_profile.team),
    ):  # fmt: skip
        json.dumps({name: str(value) for name, value in columns.items()}, ensure_ascii=False).encode()
    for base in (state, SyncState()):
        plan = merge(base, referral, row, known)
        incoming.changed(plan.to_crm, referral, known)
        operations(plan.to_pc, row, known)
        " ".join(change.describe() for change in (*plan.to_crm, *plan.to_pc, *plan.confirmed)).encode()
        assert parse(base.with_seen(plan.agreed).to_json()) == base.with_seen(plan.agreed)
        status.decide(base, referral, row, known, pairs.NOW)
    microsoft_body(row, referral, known)


def test_mutants_of_a_referral_are_mapped() -> None:
    positions = len(list(_paths(pairs.DOCUMENT)))
    count = 0
    for document in _mutants(pairs.DOCUMENT, 1500, "P15"):
        count += 1
        try:
            _use(document)
        except Exception as error:
            error.add_note(f"mutant {count}: {json.dumps(document, default=str)[:3000]}")
            raise
    assert positions > 100
    assert count >= 4000, count


NEEDED = ("PrimaryEntityId", "PrimaryEntityName", "MessageName")


def _refusal(text: str) -> str | None:
    """The code a Dataverse message is refused with; None when it is read."""
    try:
        parse_event(text).known("name")
    except DataProblem as problem:
        return problem.code
    return None


def test_mutants_of_a_dataverse_message_are_read_or_refused() -> None:
    refused = read = 0
    for message in (UPDATE, DELETE):
        for document in _mutants(message, 500, "P15/dataverse"):
            code = _refusal(json.dumps(document))
            assert code in (None, "UNREADABLE_MESSAGE")
            read, refused = read + (code is None), refused + (code is not None)
    assert read > 4000, read
    assert 10 < refused < 200, refused


def test_doubled_members_in_a_dataverse_message() -> None:
    """JSON may name a member twice; the last one counts, whatever it is."""
    for member in UPDATE:
        for odd in ("null", "5", '"text"', "[]", "{}", "[[]]"):
            text = json.dumps(UPDATE)[:-1] + f', "{member}": {odd}}}'
            code = _refusal(text)
            assert code is None or (code == "UNREADABLE_MESSAGE" and member in NEEDED), f"{member}: {odd}"


def test_mutants_of_the_state_column_are_read() -> None:
    known, referral, row = pairs.terms(), pairs.referral(), pairs.opportunity()
    full = pairs.in_step(referral, row, known).but(told={"A": "b"}, terminal_since=pairs.NOW, etag='"1"', problem="x")
    document = json.loads(full.to_json())
    for mutant in _mutants(document, 200, "P15/state"):
        state = parse(json.dumps(mutant))
        merge(state, referral, row, known)
        assert parse(state.to_json()) == state
