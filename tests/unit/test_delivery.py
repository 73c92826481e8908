"""What becomes of a message: every kind of error on its own rung, parking with reason, and nothing ever lost."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared import row_event
from shared.delivery import DELAYED, LADDER_S, SHORT_S, WAITING_S, Delivery, Envelope, foreseen
from shared.dry_run import DryRun
from shared.errors import (
    AuthorizationError,
    Bug,
    ConfigurationError,
    Conflict,
    DataProblem,
    NotFound,
    NotYet,
    Rejected,
    SyncError,
    Throttled,
    Unavailable,
    UnknownOutcome,
)
from shared.messages import Hint, ParkedMessage, Queue, parse
from tests.fakes.clock import START, VirtualClock
from tests.fakes.service_bus import FakeQueues
from tests.unit import dataverse_messages

QUEUE = Queue.PARTNER_CENTER_EVENTS
HINT = Hint(subject="referral", id=uuid.UUID(int=7), reason="referral-updated", correlation_id=uuid.UUID(int=9))


class Cards:
    """`shared.ports.Notifications`: remembers the titles."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    def post(self, title: str, text: str, facts: Mapping[str, str]) -> None:
        self.titles.append(title)


class DeadQueues(FakeQueues):
    """Service Bus takes nothing."""

    def resend(self, queue: str, body: str, *, delay_s: float) -> None:
        raise Unavailable("SB_DOWN", "Service Bus is down.")

    def park(self, parked: ParkedMessage) -> None:
        raise Unavailable("SB_DOWN", "Service Bus is down.")


class Desk:
    """A delivery with everything around it, and a handler that fails in a given order."""

    def __init__(self, *failures: BaseException | None) -> None:
        self.clock = VirtualClock()
        self.queues = FakeQueues(self.clock)
        self.cards = Cards()
        self.delivery = Delivery(self.queues, self.clock, self.cards)
        self.failures = list(failures)
        self.seen: list[Hint] = []
        self.told: list[tuple[Hint, float]] = []
        self.deaf: list[Exception] = []
        """What telling fails with, one after the other."""

    def late(self, hint: Hint, since: datetime) -> None:
        if self.deaf:
            raise self.deaf.pop()
        self.told.append((hint, (self.clock() - since).total_seconds()))

    def handle(self, hint: Hint) -> str:
        self.seen.append(hint)
        failure = self.failures.pop(0) if len(self.failures) > 1 else self.failures[0]
        if failure is not None:
            raise failure
        return "done"

    def run(self, body: str | bytes = "", queue: Queue = QUEUE) -> None:
        text = body or HINT.to_json()
        self.delivery.run(queue, text.encode() if isinstance(text, str) else text, parse, self.handle, self.late)

    def waits(self, most: int = 100) -> list[float]:
        """Seconds between the tries of one message until it is done or parked."""
        found: list[float] = []
        self.run()
        for _ in range(most):
            due = self.queues.next_due_at()
            if due is None:
                break
            found.append((due - self.clock()).total_seconds())
            self.clock.set(due)
            message = self.queues.receive(QUEUE)
            assert message is not None
            self.run(message.body)
        return found


def _error(kind: type[SyncError], **more: Any) -> SyncError:
    return kind("A_CODE", "A sentence.", "A remedy.", **more)


# -- the ladder --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [Unavailable, Conflict, NotFound, Rejected, UnknownOutcome, Bug])
def test_what_may_pass_climbs_the_whole_ladder_and_is_then_parked(kind: type[SyncError]) -> None:
    desk = Desk(_error(kind))
    assert desk.waits() == list(LADDER_S)
    (parked,) = desk.queues.parked()
    assert (parked.code, parked.sentence, parked.remedy) == ("A_CODE", "A sentence.", "A remedy.")
    assert (parked.queue, parked.correlation_id) == (QUEUE, str(HINT.correlation_id))
    assert (parked.body, parked.attempt) == (HINT.to_json(), len(LADDER_S))
    assert parked.first_seen_at == START
    assert parked.parked_at == START + timedelta(seconds=sum(LADDER_S))
    assert set(map(str, desk.seen)) == {str(HINT)}, "every try gets the original hint"
    assert desk.cards.titles == ["A co-sell message was set aside"]


def test_the_ladder_outlasts_a_night() -> None:
    assert sum(LADDER_S) > 12 * 3600


def test_what_waits_for_another_flow_has_short_rungs_first() -> None:
    desk = Desk(_error(NotYet))
    assert desk.waits() == [*SHORT_S, *LADDER_S]
    (parked,) = desk.queues.parked()
    assert parked.attempt == len(SHORT_S) + len(LADDER_S)


def test_an_outage_after_short_waits_starts_at_the_first_rung() -> None:
    desk = Desk(*[_error(NotYet)] * len(SHORT_S), _error(Unavailable))
    assert desk.waits() == [*SHORT_S, *LADDER_S]
    desk = Desk(_error(Unavailable), _error(NotYet), _error(Unavailable), None)
    assert desk.waits() == [LADDER_S[0], SHORT_S[0], LADDER_S[1]]
    assert not desk.queues.parked()


@pytest.mark.parametrize(
    ("retry_after_s", "wait"), [(None, 30), (5, 30), (45.5, 45.5), (86_400, 86_400), (0, 30)], ids=str
)
def test_retry_after_wins_when_it_is_longer(retry_after_s: float | None, wait: float) -> None:
    desk = Desk(_error(Throttled, retry_after_s=retry_after_s), None)
    assert desk.waits() == [wait]


def test_being_asked_to_wait_uses_up_no_rung_and_parks_nothing() -> None:
    asked = [_error(Throttled, retry_after_s=60.0)] * 20
    desk = Desk(_error(Unavailable), *asked, _error(Unavailable), None)
    assert desk.waits() == [LADDER_S[0], *[60.0] * 20, LADDER_S[1]]
    desk = Desk(_error(Throttled, retry_after_s=60.0))
    assert desk.waits(50) == [60.0] * 50
    assert not desk.queues.parked()


def test_a_message_that_succeeds_in_the_end_leaves_nothing() -> None:
    desk = Desk(_error(Unavailable), _error(Conflict), None)
    assert desk.waits() == list(LADDER_S[:2])
    assert desk.queues.next_due_at() is None
    assert not desk.queues.parked()
    assert len(desk.seen) == 3


def test_an_unforeseen_failure_climbs_too_and_names_only_its_kind() -> None:
    desk = Desk(ZeroDivisionError("ada@customer.example divided by zero"))
    assert desk.waits() == list(LADDER_S)
    (parked,) = desk.queues.parked()
    assert parked.code == "UNFORESEEN"
    assert "ZeroDivisionError" in parked.sentence
    assert "ada@" not in parked.to_json()


# -- who made the change is told ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [Unavailable, Throttled])
def test_a_change_that_waits_for_half_an_hour_is_told_of_once(kind: type[SyncError]) -> None:
    desk = Desk(_error(kind, retry_after_s=60.0))
    waits = desk.waits(80)
    ((hint, waited),) = desk.told
    assert hint == HINT
    assert waited == next(total for n in range(len(waits)) if (total := sum(waits[:n])) > DELAYED.total_seconds())


@pytest.mark.parametrize("kind", [NotYet, Conflict, NotFound, DataProblem, UnknownOutcome, Bug, AuthorizationError])
def test_only_a_side_that_is_down_is_told_of(kind: type[SyncError]) -> None:
    desk = Desk(_error(kind))
    desk.waits()
    assert desk.told == []


def test_half_an_hour_is_not_over_before_it_is() -> None:
    desk = Desk(_error(Unavailable))
    for seconds in (0.0, 0.001):
        first = START - DELAYED - timedelta(seconds=seconds)
        desk.run(Envelope(ladder=3, first_seen_at=first, correlation_id="c", body=HINT.to_json()).to_json())
        assert [since for _, since in desk.told] == ([1800.001] if seconds else [])


def test_telling_that_fails_costs_no_rung_and_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(_error(Unavailable))
    desk.deaf = [ZeroDivisionError("ada@customer.example"), _error(Unavailable)]
    with caplog.at_level("WARNING", logger="cosell.delivery"):
        assert desk.waits() == list(LADDER_S)
    assert [since for _, since in desk.told] == [sum(LADDER_S[:6])]
    failed = [record.getMessage() for record in caplog.records if "nobody could be told" in record.getMessage()]
    assert len(failed) == 2
    assert "A_CODE" in failed[0]
    assert "UNFORESEEN" in failed[1]
    assert "ada@" not in "".join(failed)


def test_where_nobody_listens_nobody_is_told() -> None:
    desk = Desk(_error(Unavailable))
    old = Envelope(ladder=3, first_seen_at=START - 2 * DELAYED, correlation_id="c", body=HINT.to_json())
    desk.delivery.run(QUEUE, old.to_json().encode(), parse, desk.handle)
    assert desk.told == []
    assert len(desk.queues.bodies(QUEUE)) == 1


# -- parked at once ----------------------------------------------------------------------------------------------------
def test_what_a_seller_must_change_is_parked_at_once() -> None:
    desk = Desk(_error(DataProblem))
    assert desk.waits() == []
    (parked,) = desk.queues.parked()
    assert (parked.code, parked.attempt, parked.body) == ("A_CODE", 0, HINT.to_json())


@pytest.mark.parametrize("body", ["no JSON", "{}", "null", '{"ladder": 1}', '{"correlationId": 5}', "[" * 5000])
def test_an_unreadable_message_is_parked_as_it_is(body: str) -> None:
    desk = Desk(None)
    desk.run(body)
    (parked,) = desk.queues.parked()
    assert (parked.code, parked.body) == ("UNREADABLE_MESSAGE", body)
    assert uuid.UUID(parked.correlation_id)
    assert not desk.seen


def test_bytes_that_are_no_text_are_parked_too() -> None:
    desk = Desk(None)
    desk.run(b"\xff\xfe\x00")
    assert [one.code for one in desk.queues.parked()] == ["UNREADABLE_MESSAGE"]


@pytest.mark.parametrize("member", ["correlationId", "CorrelationId"])
def test_the_correlation_is_whoevers_it_is(member: str) -> None:
    desk = Desk(None)
    desk.run(f'{{"{member}": "{str(uuid.UUID(int=3)).upper()}"}}')
    assert desk.queues.parked()[0].correlation_id == str(uuid.UUID(int=3))


# -- an operator must act ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [AuthorizationError, ConfigurationError])
def test_a_message_waits_for_the_operator_without_using_up_its_ladder(kind: type[SyncError]) -> None:
    desk = Desk(*[_error(kind)] * 500, _error(Unavailable), None)
    assert desk.waits(600) == [WAITING_S] * 500 + [LADDER_S[0]]
    assert not desk.queues.parked()
    assert desk.cards.titles == ["Co-sell sync stands still"], "told once"


def test_alerts_once_per_cause_and_queue(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(
        _error(AuthorizationError), _error(AuthorizationError), ConfigurationError("OTHER", "Other."), None, None,
        _error(AuthorizationError),
    )  # fmt: skip
    with caplog.at_level("INFO", logger="cosell.delivery"):
        for _ in range(6):
            desk.run()
    words = [record.getMessage().split(" ", 1)[0] for record in caplog.records if record.levelname != "INFO"]
    assert words == ["ALERT", "ALERT", "RESUMED", "ALERT"]


def test_another_queue_has_its_own_alarm() -> None:
    desk = Desk(_error(AuthorizationError))
    desk.run()
    desk.run(queue=Queue.CREATE_COSELL_REFERRAL)
    assert len(desk.cards.titles) == 2


def test_a_dry_run_ends_the_message() -> None:
    desk = Desk(DryRun("DRY_RUN", "Would create."))
    assert desk.waits() == []
    assert not desk.queues.parked()


# -- nothing lost ------------------------------------------------------------------------------------------------------
FAILURES: tuple[Exception, ...] = (
    _error(Unavailable), _error(NotYet), _error(DataProblem), _error(AuthorizationError), ZeroDivisionError("x"),
)  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_when_even_the_send_fails_the_queue_keeps_the_message(failure: Exception) -> None:
    desk = Desk(failure)
    desk.delivery = Delivery(DeadQueues(desk.clock), desk.clock)
    with pytest.raises(Unavailable, match="SB_DOWN"):
        desk.run()


def test_a_process_that_is_told_to_stop_stops() -> None:
    """KeyboardInterrupt and the like are nobody's rung: the message comes back by itself."""
    desk = Desk(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        desk.run()
    assert desk.queues.next_due_at() is None


def test_a_replayed_body_starts_at_the_bottom_again() -> None:
    desk = Desk(_error(Unavailable))
    desk.waits()
    (parked,) = desk.queues.parked()
    again = Desk(_error(Unavailable), None)
    again.run(parked.body)
    due = again.queues.next_due_at()
    assert due is not None
    assert (due - again.clock()).total_seconds() == LADDER_S[0]


def test_another_ladder() -> None:
    desk = Desk(_error(Unavailable))
    desk.delivery = Delivery(desk.queues, desk.clock, ladder_s=(1, 2))
    assert desk.waits() == [1, 2]
    assert len(desk.queues.parked()) == 1


# -- what is kept of a message -----------------------------------------------------------------------------------------
def test_a_change_goes_back_to_the_queue_without_its_words() -> None:
    desk = Desk(None)

    def fail(event: row_event.RowEvent) -> str:
        raise _error(Unavailable)

    text = dataverse_messages.body(dataverse_messages.UPDATE)
    desk.delivery.run(Queue.DYNAMICS_365_OPPORTUNITIES, text, row_event.parse, fail)
    (kept,) = desk.queues.bodies(Queue.DYNAMICS_365_OPPORTUNITIES)
    assert "Fabrikam" not in kept
    again = row_event.parse(Envelope.model_validate_json(kept).body)
    assert again.operation_id == row_event.parse(text).operation_id


def test_nothing_but_our_own_errors_leaves_a_function() -> None:
    with pytest.raises(Bug, match="UNFORESEEN") as caught, foreseen():
        raise ZeroDivisionError("ada@customer.example")
    assert "ada@" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(Throttled), foreseen():
        raise _error(Throttled)
    with foreseen():
        pass
