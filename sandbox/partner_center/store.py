"""Everything Partner Center must not forget, in SQLite: referrals, settings, events and delivery attempts.

A copy of referrals and settings is kept in memory, since one process owns the file; a write is in the file before its
answer leaves, so SIGKILL loses nothing. Documents handed out are shared: copy before changing, then `write`. Knows no
rules.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

type Document = dict[str, Any]
type EventState = Literal["pending", "delivered", "dead", "dropped", "unregistered"]

_KEPT_VERSIONS = 20
_TABLES = """
CREATE TABLE IF NOT EXISTS referrals (id TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    n INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, name TEXT NOT NULL, resource_id TEXT NOT NULL,
    body BLOB NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, test_id TEXT);
CREATE INDEX IF NOT EXISTS events_by_state ON events (state);
CREATE TABLE IF NOT EXISTS deliveries (
    n INTEGER PRIMARY KEY AUTOINCREMENT, event INTEGER NOT NULL, attempt INTEGER NOT NULL, at TEXT NOT NULL,
    name TEXT NOT NULL, resource_id TEXT NOT NULL, test_id TEXT, status INTEGER, error TEXT, duration_ms REAL NOT NULL);
"""


@dataclass(frozen=True)
class Event:
    """One change to be told. `body` is what is sent, byte for byte; `test_id` the correlation id of a test event."""

    n: int
    at: str
    name: str
    resource_id: str
    body: bytes
    state: EventState
    attempts: int
    test_id: str | None


class Store:
    """One SQLite file. All methods are to be called from one thread."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        # A killed process loses nothing in this mode, a power cut might: good enough for a sandbox, and fast.
        self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;")
        self._database.executescript(_TABLES)
        self._depth = 0
        self._documents: dict[str, Document] = {}
        self._engagements: defaultdict[str, set[str]] = defaultdict(set)
        self._versions: defaultdict[str, deque[tuple[datetime | None, Document]]] = defaultdict(
            lambda: deque(maxlen=_KEPT_VERSIONS)
        )
        self._settings: dict[str, str] = {
            row["name"]: row["value"] for row in self._database.execute("SELECT name, value FROM settings")
        }
        for row in self._database.execute("SELECT document FROM referrals ORDER BY rowid"):
            self._remember(json.loads(row["document"]), None)

    def clear(self) -> None:
        with self.transaction():
            for table in ("referrals", "settings", "events", "deliveries"):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are the four above
        self._settings.clear()
        self._documents.clear()
        self._engagements.clear()
        self._versions.clear()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing in the file; may be nested. Decide before writing: memory is not rolled back."""
        if self._depth == 0:
            self._database.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth = 0
            self._database.execute("ROLLBACK")
            raise
        self._depth -= 1
        if self._depth == 0:
            self._database.execute("COMMIT")

    # referrals ------------------------------------------------------------------------------------------------------
    def referral(self, referral_id: str) -> Document | None:
        return self._documents.get(referral_id.lower())

    def engagement(self, engagement_id: str) -> list[Document]:
        return [self._documents[one] for one in sorted(self._engagements.get(engagement_id.lower(), ()))]

    def referrals(self) -> list[Document]:
        return list(self._documents.values())

    def referrals_as_of(self, moment: datetime) -> list[Document]:
        """As a lagging index would show them: the last version written up to `moment`, if any."""
        seen: list[Document] = []
        for versions in self._versions.values():
            known = [document for at, document in versions if at is None or at <= moment]
            seen.extend(known[-1:])
        return seen

    def write(self, document: Document, at: datetime) -> None:
        with self.transaction():
            self._database.execute(
                "INSERT INTO referrals VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET document = excluded.document",
                (document["id"], json.dumps(document)),
            )
        self._remember(document, at)

    def _remember(self, document: Document, at: datetime | None) -> None:
        self._documents[document["id"]] = document
        self._engagements[document["engagementId"]].add(document["id"])
        self._versions[document["id"]].append((at, document))

    # settings -------------------------------------------------------------------------------------------------------
    def setting(self, name: str) -> Any:
        """The stored JSON value, or None."""
        return json.loads(self._settings.get(name, "null"))

    def set_setting(self, name: str, value: Any) -> None:
        self._settings[name] = json.dumps(value)
        self._database.execute(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, self._settings[name]),
        )

    def next_number(self, name: str) -> int:
        """1, 2, 3 …, also across restarts."""
        number = int(self.setting(name) or 0) + 1
        self.set_setting(name, number)
        return number

    # events ---------------------------------------------------------------------------------------------------------
    def add_event(
        self, at: str, name: str, resource_id: str, body: bytes, state: EventState, test_id: str | None
    ) -> Event:
        cursor = self._database.execute(
            "INSERT INTO events (at, name, resource_id, body, state, test_id) VALUES (?, ?, ?, ?, ?, ?)",
            (at, name, resource_id, body, state, test_id),
        )
        return Event(int(cursor.lastrowid or 0), at, name, resource_id, body, state, 0, test_id)

    def set_event(self, n: int, state: EventState, attempts: int) -> None:
        self._database.execute("UPDATE events SET state = ?, attempts = ? WHERE n = ?", (state, attempts, n))

    def events(
        self, *, since: int = 0, state: EventState | None = None, name: str | None = None, test_id: str | None = None
    ) -> list[Event]:
        """Those after number `since` that match what is given, oldest first."""
        wanted = (
            "SELECT * FROM events WHERE n > ? AND (? IS NULL OR state = ?)"
            " AND (? IS NULL OR name = ?) AND (? IS NULL OR test_id = ?) ORDER BY n"
        )
        given = (since, state, state, name, name, test_id, test_id)
        return [Event(**dict(row)) for row in self._database.execute(wanted, given)]

    def count_pending(self) -> int:
        return int(self._database.execute("SELECT count(*) FROM events WHERE state = 'pending'").fetchone()[0])

    def numbers(self) -> tuple[int, int]:
        """How many events were ever raised, and how many attempts made to deliver one."""
        given = dict(self._database.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        return given.get("events", 0), given.get("deliveries", 0)

    def add_delivery(
        self, event: Event, attempt: int, at: str, status: int | None, error: str | None, duration_ms: float
    ) -> None:
        self._database.execute(
            "INSERT INTO deliveries (event, attempt, at, name, resource_id, test_id, status, error, duration_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (event.n, attempt, at, event.name, event.resource_id, event.test_id, status, error, duration_ms),
        )

    def deliveries(self, *, since: int = 0, event: int | None = None, test_id: str | None = None) -> list[Document]:
        """One object an attempt, oldest first."""
        wanted = (
            "SELECT * FROM deliveries"
            " WHERE n > ? AND (? IS NULL OR event = ?) AND (? IS NULL OR test_id = ?) ORDER BY n"
        )
        return [dict(row) for row in self._database.execute(wanted, (since, event, event, test_id, test_id))]
