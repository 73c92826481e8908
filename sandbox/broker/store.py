"""The broker's memory on disk: one SQLite file, written in one transaction per turn of the broker.

The engine tells it every change; `commit` makes them durable (write-ahead log, so they survive a killed process).
Locks are not kept. Nothing is decided here.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sandbox.broker.engine import Queue
from sandbox.broker.entry import Entry, State
from sandbox.broker.message import parse
from sandbox.broker.namespace import Namespace

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    queue TEXT NOT NULL, sequence_number INTEGER NOT NULL, state INTEGER NOT NULL, delivery_count INTEGER NOT NULL,
    enqueued_at INTEGER NOT NULL, expires_at INTEGER, dead_letter_reason TEXT, dead_letter_description TEXT,
    encoded BLOB NOT NULL, PRIMARY KEY (queue, sequence_number));
CREATE TABLE IF NOT EXISTS seen (
    queue TEXT NOT NULL, message_id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (queue, message_id));
CREATE INDEX IF NOT EXISTS seen_at ON seen (queue, at);
CREATE TABLE IF NOT EXISTS counter (queue TEXT PRIMARY KEY, last_number INTEGER NOT NULL);
"""


class Store:
    """Implements `entry.Journal`. `sqlite3.DatabaseError` when the file is not a database of ours."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)
        self._changed: dict[tuple[str, int], Entry | None] = {}
        self._seen: list[tuple[str, str, int]] = []
        self._forgotten: dict[str, int] = {}
        self._numbers: dict[str, int] = {}

    # journal ----------------------------------------------------------------------------------------------------------
    def keep(self, queue: str, entry: Entry) -> None:
        """The entry is new or changed."""
        self._changed[queue, entry.sequence_number] = entry

    def drop(self, queue: str, sequence_number: int) -> None:
        """The entry is gone."""
        self._changed[queue, sequence_number] = None

    def remember(self, queue: str, message_id: str, at: int) -> None:
        """The message id was seen."""
        self._seen.append((queue, message_id, at))

    def forget(self, queue: str, before: int) -> None:
        """Message ids seen up to `before` no longer matter."""
        self._forgotten[queue] = before

    def number(self, queue: str, last: int) -> None:
        """The last sequence number given out."""
        self._numbers[queue] = last

    def commit(self) -> None:
        """Makes everything told so far durable; cheap when nothing was."""
        if not (self._changed or self._seen or self._forgotten or self._numbers):
            return
        rows = [_row(key[0], entry) for key, entry in self._changed.items() if entry is not None]
        gone = [key for key, entry in self._changed.items() if entry is None]
        self._db.execute("BEGIN")
        if rows:
            self._db.executemany("INSERT OR REPLACE INTO message VALUES (?,?,?,?,?,?,?,?,?)", rows)
        if gone:
            self._db.executemany("DELETE FROM message WHERE queue = ? AND sequence_number = ?", gone)
        if self._seen:
            self._db.executemany("INSERT OR REPLACE INTO seen VALUES (?,?,?)", self._seen)
        if self._forgotten:
            self._db.executemany("DELETE FROM seen WHERE queue = ? AND at <= ?", self._forgotten.items())
        if self._numbers:
            self._db.executemany("INSERT OR REPLACE INTO counter VALUES (?,?)", self._numbers.items())
        self._db.execute("COMMIT")
        for told in (self._changed, self._seen, self._forgotten, self._numbers):
            told.clear()

    # start and end ----------------------------------------------------------------------------------------------------
    def load(self, namespace: Namespace) -> None:
        """Fills the queues with what was kept; queues that no longer exist keep their rows unread."""
        queues: dict[str, Queue] = {queue.name: queue for queue in namespace.queues}
        for row in self._db.execute("SELECT * FROM message ORDER BY queue, sequence_number"):
            if row[0] in queues:
                queues[row[0]].put(Entry(row[1], parse(row[8]), row[4], State(row[2]), row[3], row[5], row[6], row[7]))
        for name, message_id, at in self._db.execute("SELECT queue, message_id, at FROM seen ORDER BY queue, at"):
            if name in queues:
                queues[name].seen[message_id] = at
        for name, last in self._db.execute("SELECT queue, last_number FROM counter"):
            if name in queues:
                queues[name].last_number = last

    def close(self) -> None:
        """Commits and closes the file."""
        self.commit()
        self._db.close()


def _row(queue: str, entry: Entry) -> tuple[object, ...]:
    return (
        queue,
        entry.sequence_number,
        int(entry.state),
        entry.delivery_count,
        entry.enqueued_at,
        entry.expires_at,
        entry.dead_letter_reason,
        entry.dead_letter_description,
        entry.message.encoded,
    )
