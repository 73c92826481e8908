"""A queue's state machine: what each operation does to a message, and that whatever happens, the file tells the same
story as the memory. No sockets; time is a number that the tests move."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sandbox.broker.amqp_types import Symbol, Timestamp, UInt
from sandbox.broker.engine import Queue
from sandbox.broker.entry import Entry, LockLost, NotFound, Rules, State
from sandbox.broker.message import ANNOTATIONS, DATA, HEADER, PROPERTIES, Message, parse, section
from sandbox.broker.namespace import Namespace, path_of
from sandbox.broker.store import Store

START = 1_800_000_000_000
RULES = Rules(lock_duration_ms=60_000, max_delivery_count=3, duplicate_window_ms=600_000, default_ttl_ms=None)


@dataclass
class Clock:
    now: int = START

    def __call__(self) -> int:
        return self.now


class Unwritten:
    """A journal nobody reads."""

    def keep(self, queue: str, entry: Entry) -> None: ...
    def drop(self, queue: str, sequence_number: int) -> None: ...
    def remember(self, queue: str, message_id: str, at: int) -> None: ...
    def forget(self, queue: str, before: int) -> None: ...
    def number(self, queue: str, last: int) -> None: ...


def message(
    body: str = "x", message_id: str | None = None, ttl_ms: int | None = None, due_at: int | None = None
) -> Message:
    """A message as a sender encodes it."""
    encoded = b""
    if ttl_ms is not None:
        encoded += section(HEADER, [None, None, UInt(ttl_ms)])
    if due_at is not None:
        encoded += section(ANNOTATIONS, {Symbol("x-opt-scheduled-enqueue-time"): Timestamp(due_at)})
    if message_id is not None:
        encoded += section(PROPERTIES, [message_id])
    return parse(encoded + section(DATA, body.encode()))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> Queue:
    return Namespace(["parked"], RULES, Unwritten(), clock).find("parked")


def take(queue: Queue) -> tuple[Entry, uuid.UUID]:
    entry = queue.receive()
    assert entry is not None
    assert entry.lock_token is not None
    return entry, entry.lock_token


def dead(queue: Queue) -> list[tuple[int, str | None]]:
    assert queue.dead_letters is not None
    return [(entry.sequence_number, entry.dead_letter_reason) for entry in queue.dead_letters.peek(0, 100)]


def counts(queue: Queue) -> tuple[int, int, int, int]:
    c = queue.counts()
    return c["active"], c["scheduled"], c["deferred"], c["locked"]


def test_messages_are_received_in_the_order_they_were_sent(queue: Queue) -> None:
    numbers = [queue.send(message(str(i))) for i in range(5)]
    assert [take(queue)[0].sequence_number for _ in range(5)] == numbers
    assert queue.receive() is None


def test_an_abandoned_message_comes_back_into_its_place_counted(queue: Queue) -> None:
    queue.send(message("first"))
    queue.send(message("second"))
    first, token = take(queue)
    queue.abandon(token)
    again, _ = take(queue)
    assert (again.sequence_number, again.delivery_count) == (first.sequence_number, 1)


def test_a_released_message_is_not_counted(queue: Queue) -> None:
    queue.send(message())
    queue.release(take(queue)[1])
    assert take(queue)[0].delivery_count == 0


def test_the_last_allowed_delivery_dead_letters(queue: Queue) -> None:
    number = queue.send(message())
    for expected in range(3):
        entry, token = take(queue)
        assert entry.delivery_count == expected
        queue.abandon(token)
    assert counts(queue) == (0, 0, 0, 0)
    assert dead(queue) == [(number, "MaxDeliveryCountExceeded")]


def test_a_dead_letter_can_be_abandoned_any_number_of_times(queue: Queue) -> None:
    queue.send(message())
    queue.dead_letter(take(queue)[1], "reason", "description")
    letters = queue.dead_letters
    assert letters is not None
    for _ in range(20):
        letters.abandon(take(letters)[1])
    letters.complete(take(letters)[1])
    assert dead(queue) == []


def test_a_dead_letter_cannot_be_dead_lettered_and_stays_locked(queue: Queue) -> None:
    queue.send(message())
    queue.dead_letter(take(queue)[1], None, None)
    letters = queue.dead_letters
    assert letters is not None
    _, token = take(letters)
    with pytest.raises(NotFound):
        letters.dead_letter(token, "again", None)
    letters.complete(token)


@pytest.mark.parametrize("settle", ["complete", "abandon", "defer", "release", "renew"])
def test_settling_twice_says_that_the_lock_is_gone(queue: Queue, settle: str) -> None:
    queue.send(message())
    _, token = take(queue)
    queue.complete(token)
    with pytest.raises(LockLost):
        getattr(queue, settle)(token)


def test_a_lock_ends_after_its_duration_and_counts_as_a_delivery(queue: Queue, clock: Clock) -> None:
    queue.send(message())
    _, token = take(queue)
    clock.now += 59_999
    assert queue.receive() is None
    clock.now += 1
    again, _ = take(queue)
    assert again.delivery_count == 1
    with pytest.raises(LockLost):
        queue.complete(token)


def test_a_renewed_lock_lasts_from_the_renewal(queue: Queue, clock: Clock) -> None:
    queue.send(message())
    _, token = take(queue)
    clock.now += 40_000
    assert queue.renew(token) == clock.now + 60_000
    clock.now += 59_999
    assert queue.receive() is None
    queue.complete(token)


def test_expired_locks_dead_letter_like_abandons(queue: Queue, clock: Clock) -> None:
    number = queue.send(message())
    for _ in range(3):
        take(queue)
        clock.now += 60_000
    queue.run_due()
    assert dead(queue) == [(number, "MaxDeliveryCountExceeded")]


def test_receive_and_delete_leaves_nothing(queue: Queue) -> None:
    queue.send(message())
    entry = queue.receive(delete=True)
    assert entry is not None
    assert entry.lock_token is None
    assert counts(queue) == (0, 0, 0, 0)


def test_a_deferred_message_is_found_by_number_only(queue: Queue, clock: Clock) -> None:
    number = queue.send(message())
    queue.defer(take(queue)[1])
    assert queue.receive() is None
    assert counts(queue) == (0, 0, 1, 0)
    (entry,) = queue.receive_deferred([number])
    assert entry.lock_token is not None
    with pytest.raises(NotFound):
        queue.receive_deferred([number])
    queue.abandon(entry.lock_token)
    assert counts(queue) == (0, 0, 1, 0), "an abandoned deferred message stays deferred"
    (entry,) = queue.receive_deferred([number])
    clock.now += 60_000
    queue.run_due()
    assert counts(queue) == (0, 0, 1, 0), "so does one whose lock ended"
    assert entry.delivery_count == 2


def test_receiving_deferred_messages_is_all_or_nothing(queue: Queue) -> None:
    number = queue.send(message())
    queue.defer(take(queue)[1])
    with pytest.raises(NotFound):
        queue.receive_deferred([number, 99])
    assert counts(queue) == (0, 0, 1, 0)


def test_a_scheduled_message_is_due_at_its_time(queue: Queue, clock: Clock) -> None:
    queue.send(message(due_at=START + 30_000))
    assert queue.next_due() == START + 30_000
    assert queue.receive() is None
    clock.now += 30_000
    entry, _ = take(queue)
    assert entry.enqueued_at == START + 30_000


def test_a_message_scheduled_for_the_past_is_active(queue: Queue) -> None:
    queue.send(message(due_at=START - 1))
    assert counts(queue) == (1, 0, 0, 0)


def test_a_scheduled_message_can_be_cancelled_once(queue: Queue, clock: Clock) -> None:
    number = queue.send(message(due_at=START + 30_000))
    queue.cancel(number)
    with pytest.raises(NotFound):
        queue.cancel(number)
    clock.now += 60_000
    assert queue.receive() is None


def test_an_active_message_cannot_be_cancelled(queue: Queue) -> None:
    with pytest.raises(NotFound):
        queue.cancel(queue.send(message()))


def test_the_same_id_within_the_window_is_sent_once(queue: Queue, clock: Clock) -> None:
    queue.send(message("first", "id"))
    queue.complete(take(queue)[1])
    clock.now += 599_999
    queue.send(message("second", "id"))
    assert counts(queue) == (0, 0, 0, 0), "also when the first is long done"
    clock.now += 1
    queue.send(message("third", "id"))
    assert counts(queue) == (1, 0, 0, 0)


def test_messages_without_an_id_are_never_duplicates(queue: Queue) -> None:
    queue.send(message())
    queue.send(message())
    assert counts(queue) == (2, 0, 0, 0)


@pytest.mark.parametrize(
    ("prepare", "lost_after"),
    [("active", 5_000), ("deferred", 5_000), ("scheduled", 35_000), ("locked", 60_000)],
)
def test_a_message_outlives_its_time_to_live_only_while_locked_or_scheduled(
    queue: Queue, clock: Clock, prepare: str, lost_after: int
) -> None:
    number = queue.send(message(ttl_ms=5_000, due_at=START + 30_000 if prepare == "scheduled" else None))
    if prepare in ("deferred", "locked"):
        _, token = take(queue)
        if prepare == "deferred":
            queue.defer(token)
    clock.now += lost_after - 1
    queue.run_due()
    assert dead(queue) == []
    clock.now += 1
    queue.run_due()
    assert dead(queue) == [(number, "TTLExpiredException")]


def test_peek_shows_every_state_and_locks_nothing(queue: Queue) -> None:
    queue.send(message())
    queue.send(message())
    queue.send(message(due_at=START + 1000))
    queue.defer(take(queue)[1])
    assert [entry.state for entry in queue.peek(0, 10)] == [State.DEFERRED, State.ACTIVE, State.SCHEDULED]
    assert [entry.sequence_number for entry in queue.peek(2, 1)] == [2]
    assert counts(queue) == (1, 1, 1, 0)


def test_ageing_makes_everything_due_as_time_would(queue: Queue, clock: Clock) -> None:
    queue.send(message("locked", "a"))
    take(queue)
    queue.send(message("short", "b", ttl_ms=30_000))
    queue.send(message("later", "c", due_at=START + 600_000))
    queue.age(600_000)
    queue.run_due()
    assert counts(queue) == (2, 0, 0, 0)
    assert dead(queue) == [(2, "TTLExpiredException")]
    assert [entry.delivery_count for entry in queue.peek(0, 10)] == [1, 0]
    queue.send(message("again", "a"))
    assert counts(queue) == (3, 0, 0, 0), "the duplicate window has passed as well"
    queue.send(message("new", due_at=START + 10_000))
    assert counts(queue) == (3, 1, 0, 0), "what is sent afterwards has its full time before it"


def test_purging_empties_the_queue_and_its_memory(queue: Queue, clock: Clock) -> None:
    queue.send(message("a", "id"))
    _, token = take(queue)
    queue.purge()
    assert counts(queue) == (0, 0, 0, 0)
    with pytest.raises(LockLost):
        queue.complete(token)
    queue.send(message("b", "id"))
    assert counts(queue) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("parked", "parked"),
        ("amqps://127.0.0.1:5672/parked", "parked"),
        ("amqps://127.0.0.1/parked/$DeadLetterQueue", "parked/$DeadLetterQueue"),
        ("parked/$management", "parked/$management"),
        ("sb://127.0.0.1:5672/", ""),
    ],
)
def test_addresses_name_a_path(address: str, path: str) -> None:
    assert path_of(address) == path


def test_names_have_no_case() -> None:
    namespace = Namespace(["Parked"], RULES, Unwritten(), Clock())
    assert namespace.find("PARKED/$DeadLetterQueue") is namespace.find("parked").dead_letters
    with pytest.raises(NotFound, match="nothing"):
        namespace.find("nothing")


def test_ids_of_the_past_leave_the_file(tmp_path: Path, clock: Clock) -> None:
    store = Store(tmp_path / "broker.sqlite")
    Namespace(["q"], RULES, store, clock).find("q").send(message("x", "old"))
    store.commit()
    namespace = Namespace(["q"], RULES, store, clock)
    store.load(namespace)
    clock.now += 600_000
    namespace.find("q").send(message("x", "new"))
    store.commit()
    restarted = Namespace(["q"], RULES, store, clock)
    store.load(restarted)
    assert list(restarted.find("q").seen) == ["new"]
    store.close()


def known(namespace: Namespace) -> object:
    """Everything about the queues but the locks."""
    return {
        queue.name: (
            [
                (e.sequence_number, e.state, e.delivery_count, e.enqueued_at, e.expires_at, e.dead_letter_reason)
                for e in sorted(queue.entries.values(), key=lambda e: e.sequence_number)
            ],
            list(queue.seen.items()),
            queue.last_number,
        )
        for queue in namespace.queues
    }


class Life(RuleBasedStateMachine):
    """Any sequence of operations: no message is lost or doubled, and a broker restarted after any of them knows what
    the old one knew, locks excepted."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "broker.sqlite"
        self.clock = Clock()
        self.alive: set[int] = set()
        self.open()

    def open(self) -> None:
        self.store = Store(self.path)
        self.namespace = Namespace(["q"], RULES, self.store, self.clock)
        self.store.load(self.namespace)
        self.queue = self.namespace.find("q")
        self.tokens: list[uuid.UUID] = []

    @rule(
        ttl=st.none() | st.integers(1, 100_000), delay=st.integers(0, 100_000), identity=st.none() | st.integers(0, 5)
    )
    def send(self, ttl: int | None, delay: int, identity: int | None) -> None:
        due = self.clock.now + delay if delay else None
        known = set(self.queue.entries)
        self.queue.send(message("x", str(identity) if identity is not None else None, ttl, due))
        self.alive |= set(self.queue.entries) - known

    @rule()
    def receive(self) -> None:
        entry = self.queue.receive()
        if entry is not None and entry.lock_token is not None:
            self.tokens.append(entry.lock_token)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), how=st.sampled_from(["complete", "abandon", "release", "defer", "dead_letter", "renew"]))
    def settle(self, data: st.DataObject, how: str) -> None:
        token = data.draw(st.sampled_from(self.tokens))
        held = {entry.lock_token: number for number, entry in self.queue.entries.items()}
        try:
            if how == "dead_letter":
                self.queue.dead_letter(token, "reason", None)
            else:
                getattr(self.queue, how)(token)
        except LockLost:
            return
        if how == "complete":
            self.alive.remove(held[token])

    @rule()
    def receive_deferred(self) -> None:
        idle = [e.sequence_number for e in self.queue.peek(0, 9) if e.state is State.DEFERRED and e.lock_token is None]
        for entry in self.queue.receive_deferred(idle[:2]):
            assert entry.lock_token is not None
            self.tokens.append(entry.lock_token)

    @rule(milliseconds=st.integers(1, 700_000))
    def wait(self, milliseconds: int) -> None:
        self.clock.now += milliseconds
        self.namespace.run_due()

    @rule(milliseconds=st.integers(1, 700_000))
    def age(self, milliseconds: int) -> None:
        self.namespace.age(milliseconds)

    @rule()
    def kill(self) -> None:
        self.store.close()
        self.open()

    @invariant()
    def a_restarted_broker_knows_the_same(self) -> None:
        self.store.commit()
        reader = Store(self.path)
        restarted = Namespace(["q"], RULES, reader, self.clock)
        reader.load(restarted)
        assert known(restarted) == known(self.namespace)
        reader.close()

    @invariant()
    def every_message_is_in_one_place(self) -> None:
        letters = self.queue.dead_letters
        assert letters is not None
        places = [*self.queue.entries, *letters.entries]
        assert sorted(places) == sorted(self.alive)

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
