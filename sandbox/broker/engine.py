"""What happens to messages: one queue's state machine, pure, with an injected clock and journal.

A message is scheduled, active or deferred; an active or deferred one may be locked. Locks live in memory only, so a
restarted broker has forgotten them; everything else is told to the journal (`store`) as it happens. No sockets, no
files, no waiting: whoever owns a queue calls `run_due` when `next_due` has come. A dead-letter queue is a queue of its
own with milder rules. Times are integers, milliseconds since 1970. The namespace of all queues is in `namespace`.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable
from heapq import heappop, heappush

from sandbox.broker.entry import Entry, Journal, LockLost, NotFound, Rules, State
from sandbox.broker.message import Message


class Queue:
    """One queue, or the dead-letter queue of one."""

    def __init__(
        self, name: str, rules: Rules, journal: Journal, clock: Callable[[], int], dead_letters: Queue | None = None
    ) -> None:
        self.name = name
        self.rules = rules
        self.entries: dict[int, Entry] = {}
        self.dead_letters = dead_letters
        self.seen: OrderedDict[str, int] = OrderedDict()
        """Message ids of the duplicate detection window, oldest first, with the time each was sent."""
        self.last_number = 0
        self._journal = journal
        self._clock = clock
        self._locked: dict[uuid.UUID, Entry] = {}
        self._ready: list[int] = []
        self._due: list[tuple[int, int]] = []
        """(time, sequence number): a scheduled message, a lock or a lifetime may end then."""

    # sending ----------------------------------------------------------------------------------------------------------
    def send(self, message: Message) -> int:
        """Enqueues or schedules the message; its sequence number. A duplicate is numbered and dropped."""
        now = self._clock()
        self.last_number += 1
        self._journal.number(self.name, self.last_number)
        if message.message_id is not None and self.rules.duplicate_window_ms:
            self._forget_old(now)
            if message.message_id in self.seen:
                return self.last_number
            self.seen[message.message_id] = now
            self._journal.remember(self.name, message.message_id, now)
        entry = Entry(self.last_number, message, now)
        ttl = min((t for t in (message.ttl_ms, self.rules.default_ttl_ms) if t is not None), default=None)
        if message.scheduled_at is not None and message.scheduled_at > now:
            entry.state = State.SCHEDULED
            entry.enqueued_at = message.scheduled_at
        if ttl is not None:
            entry.expires_at = entry.enqueued_at + ttl
        self.put(entry)
        self._journal.keep(self.name, entry)
        return entry.sequence_number

    def put(self, entry: Entry) -> None:
        """Takes an entry in (a new one, one from the store, a dead letter) without telling the journal."""
        self.entries[entry.sequence_number] = entry
        if entry.state is State.SCHEDULED:
            self._expect(entry.enqueued_at, entry)
        if entry.expires_at is not None:
            self._expect(entry.expires_at, entry)
        if entry.state is State.ACTIVE:
            heappush(self._ready, entry.sequence_number)

    def cancel(self, sequence_number: int) -> None:
        """Removes a scheduled message; `NotFound` when it is not scheduled (any more)."""
        entry = self.entries.get(sequence_number)
        if entry is None or entry.state is not State.SCHEDULED:
            raise NotFound(f"no scheduled message {sequence_number} in {self.name}")
        self._remove(entry)

    # receiving --------------------------------------------------------------------------------------------------------
    def has_ready(self) -> bool:
        """Whether `receive` would return a message."""
        while self._ready:
            entry = self.entries.get(self._ready[0])
            if entry is not None and entry.state is State.ACTIVE and entry.lock_token is None:
                return True
            heappop(self._ready)
        return False

    def receive(self, delete: bool = False) -> Entry | None:
        """The next active message, locked, or removed if `delete`; None when there is none."""
        self.run_due()
        if not self.has_ready():
            return None
        entry = self.entries[heappop(self._ready)]
        return self._take(entry, delete)

    def receive_deferred(self, sequence_numbers: list[int], delete: bool = False) -> list[Entry]:
        """The deferred messages, locked; `NotFound` when one is missing, locked or not deferred."""
        self.run_due()
        entries = [self.entries.get(number) for number in sequence_numbers]
        found = [e for e in entries if e is not None and e.state is State.DEFERRED and e.lock_token is None]
        if len(found) < len(sequence_numbers):
            raise NotFound(f"not all of {sequence_numbers} are deferred messages of {self.name}")
        return [self._take(entry, delete) for entry in found]

    def peek(self, first: int, count: int) -> list[Entry]:
        """Up to `count` messages in any state from sequence number `first` on; nothing is locked."""
        self.run_due()
        numbers = sorted(number for number in self.entries if number >= first)
        return [self.entries[number] for number in numbers[:count]]

    # settling ---------------------------------------------------------------------------------------------------------
    def is_first_delivery(self, token: uuid.UUID) -> bool:
        """Whether the message held with this lock was never given back."""
        return self._locked_entry(token).delivery_count == 0

    def complete(self, token: uuid.UUID) -> None:
        """Done with it."""
        self._remove(self._unlocked(token))

    def abandon(self, token: uuid.UUID) -> None:
        """Back into its place, counted; dead-lettered after the last allowed delivery."""
        self._give_back(self._unlocked(token), counted=True)

    def release(self, token: uuid.UUID) -> None:
        """Back into its place as if it had not been delivered."""
        self._give_back(self._unlocked(token), counted=False)

    def defer(self, token: uuid.UUID) -> None:
        """Set aside: from now on only `receive_deferred` finds it."""
        entry = self._unlocked(token)
        entry.state = State.DEFERRED
        self._journal.keep(self.name, entry)

    def dead_letter(self, token: uuid.UUID, reason: str | None, description: str | None) -> None:
        """To the dead-letter queue with the receiver's reason."""
        if self.dead_letters is None:
            raise NotFound(f"{self.name} has no dead-letter queue")
        self._bury(self._unlocked(token), reason, description)

    def renew(self, token: uuid.UUID) -> int:
        """The lock lasts its full duration from now; until when."""
        entry = self._locked_entry(token)
        self._lock(entry, token)
        return entry.locked_until

    # time -------------------------------------------------------------------------------------------------------------
    def next_due(self) -> int | None:
        """When `run_due` next has something to do."""
        while self._due:
            at, number = self._due[0]
            entry = self.entries.get(number)
            if entry is not None and at in (entry.locked_until, entry.expires_at, entry.enqueued_at):
                return at
            heappop(self._due)
        return None

    def run_due(self) -> None:
        """Does what time has brought: scheduled messages, ended locks, ended lifetimes."""
        now = self._clock()
        while (at := self.next_due()) is not None and at <= now:
            entry = self.entries[heappop(self._due)[1]]
            if entry.lock_token is not None and entry.locked_until <= now:
                self._give_back(self._unlocked(entry.lock_token, expired=True), counted=True)
            elif entry.state is State.SCHEDULED and entry.enqueued_at <= now:
                entry.state = State.ACTIVE
                heappush(self._ready, entry.sequence_number)
                self._journal.keep(self.name, entry)
            self._expire(entry, now)

    def age(self, milliseconds: int) -> None:
        """Makes everything held that much older, as if the time had passed."""
        entries = list(self.entries.values())
        self._ready.clear()
        self._due.clear()
        for entry in entries:
            entry.enqueued_at -= milliseconds
            if entry.expires_at is not None:
                entry.expires_at -= milliseconds
            self.put(entry)
            if entry.lock_token is not None:
                entry.locked_until -= milliseconds
                self._expect(entry.locked_until, entry)
            self._journal.keep(self.name, entry)
        for message_id in self.seen:
            self.seen[message_id] -= milliseconds
            self._journal.remember(self.name, message_id, self.seen[message_id])

    # housekeeping -----------------------------------------------------------------------------------------------------
    def purge(self) -> None:
        """Removes every message and forgets every message id."""
        for entry in list(self.entries.values()):
            self._remove(entry)
        self._locked.clear()
        self.seen.clear()
        self._journal.forget(self.name, self._clock())

    def counts(self) -> dict[str, int]:
        """How many messages are in which state; locked ones are counted as locked only."""
        idle = [entry.state for entry in self.entries.values() if entry.lock_token is None]
        return {
            "active": idle.count(State.ACTIVE),
            "scheduled": idle.count(State.SCHEDULED),
            "deferred": idle.count(State.DEFERRED),
            "locked": len(self._locked),
        }

    def _take(self, entry: Entry, delete: bool) -> Entry:
        if delete:
            self._remove(entry)
        else:
            self._lock(entry, uuid.uuid4())
        return entry

    def _lock(self, entry: Entry, token: uuid.UUID) -> None:
        entry.lock_token = token
        entry.locked_until = self._clock() + self.rules.lock_duration_ms
        self._locked[token] = entry
        self._expect(entry.locked_until, entry)

    def _locked_entry(self, token: uuid.UUID) -> Entry:
        self.run_due()
        entry = self._locked.get(token)
        if entry is None:
            raise LockLost(f"the lock {token} in {self.name} is gone: it expired, or the message was settled")
        return entry

    def _unlocked(self, token: uuid.UUID, expired: bool = False) -> Entry:
        entry = self._locked[token] if expired else self._locked_entry(token)
        del self._locked[token]
        entry.lock_token = None
        return entry

    def _give_back(self, entry: Entry, counted: bool) -> None:
        if counted:
            entry.delivery_count += 1
            limit = self.rules.max_delivery_count
            if limit is not None and entry.delivery_count >= limit and self.dead_letters is not None:
                description = f"Message could not be consumed after {limit} delivery attempts."
                self._bury(entry, "MaxDeliveryCountExceeded", description)
                return
            self._journal.keep(self.name, entry)
        if entry.state is State.ACTIVE:
            heappush(self._ready, entry.sequence_number)
        self._expire(entry, self._clock())

    def _expire(self, entry: Entry, now: int) -> None:
        held = self.entries.get(entry.sequence_number) is entry
        if not held or entry.lock_token is not None or entry.expires_at is None or entry.expires_at > now:
            return
        if self.dead_letters is not None:
            self._bury(entry, "TTLExpiredException", "The message expired and was dead lettered.")

    def _bury(self, entry: Entry, reason: str | None, description: str | None) -> None:
        if self.dead_letters is None:
            raise NotFound(f"{self.name} has no dead-letter queue")
        self._remove(entry)
        entry.dead_letter_reason, entry.dead_letter_description = reason, description
        entry.state, entry.expires_at = State.ACTIVE, None
        self.dead_letters.put(entry)
        self._journal.keep(self.dead_letters.name, entry)

    def _remove(self, entry: Entry) -> None:
        del self.entries[entry.sequence_number]
        self._journal.drop(self.name, entry.sequence_number)

    def _expect(self, at: int, entry: Entry) -> None:
        heappush(self._due, (at, entry.sequence_number))

    def _forget_old(self, now: int) -> None:
        horizon = now - self.rules.duplicate_window_ms
        while self.seen and next(iter(self.seen.values())) <= horizon:
            self.seen.popitem(last=False)
            self._journal.forget(self.name, horizon)
