"""Rows, tombstones, waiting messages and settings in one SQLite file, with a copy of the rows in memory for reading.

Every write of a row takes the next version number, and everything done within one `transaction` is on disk together or
not at all, also when the process is killed. Knows neither columns nor HTTP: see `writes` for what a write means.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.dataverse.index import Index, Normal

type Row = Mapping[str, Any]
"""Column → str, int, Decimal, bool, tuple of ints (choices) or `Ref`; empty columns are absent. Never changed."""

_FIRST_VERSION = 7_700_000
_TABLES = """
CREATE TABLE IF NOT EXISTS rows (tbl TEXT, id TEXT, version INTEGER, data TEXT, PRIMARY KEY (tbl, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rows_by_version ON rows (version);
CREATE TABLE IF NOT EXISTS deleted (tbl TEXT, id TEXT, version INTEGER, PRIMARY KEY (version));
CREATE TABLE IF NOT EXISTS outbox (
    n INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT, body BLOB, properties TEXT, job TEXT, due REAL,
    attempts INTEGER DEFAULT 0
);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""


class Ref(NamedTuple):
    """A lookup's value."""

    table: str
    id: str


@dataclass(frozen=True)
class Waiting:
    """A message on its way to a queue. `due` is in seconds of the real clock."""

    n: int
    queue: str
    body: bytes
    properties: dict[str, str]
    job: dict[str, str]
    """The system job behind it: operation_id, step_id, message, created_on."""
    due: float
    attempts: int


@dataclass(frozen=True)
class Change:
    """What happened last to a row; `row` is None when it was deleted."""

    version: int
    table: str
    id: str
    row: Row | None


@dataclass(frozen=True)
class Contents:
    """All rows and settings at one moment, as they are in memory and in the file."""

    version: int
    rows: dict[str, dict[str, Row]]
    written: list[tuple[str, str, int, str]]
    settings: list[tuple[str, str]]


class Store:
    """The environment's data. One writer at a time; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_TABLES)
        self._rows: dict[str, dict[str, Row]] = {}
        self._indexes: dict[tuple[str, str], Index] = {}
        self._undo: list[tuple[str, str, Row | None]] | None = None
        for table, row_id, data in self._database.execute("SELECT tbl, id, data FROM rows"):
            self._rows.setdefault(table, {})[row_id] = _decode(data)
        self._version = int(self.setting("version", _FIRST_VERSION))

    @property
    def version(self) -> int:
        """The version number given out last."""
        return self._version

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; a transaction within another one is a part of it."""
        with self._lock:
            if self._undo is not None:
                yield
                return
            self._undo, before = [], self._version
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.put_setting("version", self._version)
                self._database.execute("COMMIT")
            except BaseException:
                self._database.execute("ROLLBACK")
                self._version = before
                for table, row_id, old in reversed(self._undo):
                    self._remember(table, row_id, old)
                raise
            finally:
                self._undo = None

    def clear(self) -> None:
        """Forget everything, settings included; versions start again."""
        with self._lock:
            self._rows.clear()
            self._indexes.clear()
            for table in ("rows", "deleted", "outbox", "settings"):
                self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - the names stand two lines up
            self._version = _FIRST_VERSION

    def contents(self) -> Contents:
        """What `put_back` puts back."""
        with self._lock:
            written = self._database.execute("SELECT tbl, id, version, data FROM rows").fetchall()
            settings = self._database.execute("SELECT name, value FROM settings").fetchall()
            return Contents(self._version, {table: self.all(table) for table in self._rows}, written, settings)

    def put_back(self, contents: Contents) -> None:
        """Into a store that was cleared."""
        with self.transaction():
            self._rows = {table: dict(kept) for table, kept in contents.rows.items()}
            self._version = contents.version
            self._database.executemany("INSERT INTO rows VALUES (?, ?, ?, ?)", contents.written)
            self._database.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", contents.settings)

    # rows -----------------------------------------------------------------------------------------------------------
    def get(self, table: str, row_id: str) -> Row | None:
        return self._rows.get(table, {}).get(row_id)

    def find(self, table: str, name: str, normal: Normal, values: Row) -> str | None:
        """Id of the row whose `normal` form equals that of `values`, through an index that is built on first use."""
        wanted = normal(values)
        with self._lock:
            index = self._indexes.get((table, name))
            if index is None:
                index = self._indexes[table, name] = Index(normal, {})
                for row_id, row in self._rows.get(table, {}).items():
                    index.put(row_id, None, row)
            return None if wanted is None else index.ids.get(wanted)

    def forget_index(self, table: str, name: str) -> None:
        """After the definition of a key has changed."""
        self._indexes.pop((table, name), None)

    def all(self, table: str) -> dict[str, Row]:
        """Id → row, as of now."""
        with self._lock:
            return dict(self._rows.get(table, {}))

    def put(self, table: str, row_id: str, row: Row) -> Row:
        """Write a row under the next version; within a transaction only."""
        stored = {name: value for name, value in row.items() if value is not None}
        stored["versionnumber"] = self._next_version()
        self._keep(table, row_id)
        self._remember(table, row_id, stored)
        self._database.execute(
            "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", (table, row_id, self._version, _encode(stored))
        )
        return stored

    def remove(self, table: str, row_id: str) -> None:
        """Delete a row and leave a tombstone; within a transaction only."""
        self._keep(table, row_id)
        self._remember(table, row_id, None)
        self._database.execute("DELETE FROM rows WHERE tbl = ? AND id = ?", (table, row_id))
        self._database.execute("INSERT INTO deleted VALUES (?, ?, ?)", (table, row_id, self._next_version()))

    def changes(self, since: int, table: str | None = None) -> list[Change]:
        """The last change of each row after version `since`, oldest first."""
        which = "" if table is None else " AND tbl = ?"
        arguments = (since,) if table is None else (since, table)
        with self._lock:
            written = self._database.execute(
                f"SELECT version, tbl, id, data FROM rows WHERE version > ?{which}",  # noqa: S608 - fixed text
                arguments,
            ).fetchall()
            gone = self._database.execute(
                f"SELECT version, tbl, id FROM deleted WHERE version > ?{which}",  # noqa: S608 - fixed text
                arguments,
            ).fetchall()
        changes = [Change(version, name, row_id, _decode(data)) for version, name, row_id, data in written]
        alive = {(change.table, change.id) for change in changes}
        last = {(name, row_id): version for version, name, row_id in sorted(gone)}
        changes += [
            Change(version, name, row_id, None)
            for (name, row_id), version in last.items()
            if (name, row_id) not in alive
        ]
        return sorted(changes, key=lambda change: change.version)

    def _next_version(self) -> int:
        self._version += 1
        return self._version

    def _keep(self, table: str, row_id: str) -> None:
        if self._undo is None:
            raise RuntimeError("rows are written within a transaction only")
        self._undo.append((table, row_id, self.get(table, row_id)))

    def _remember(self, table: str, row_id: str, row: Row | None) -> None:
        rows = self._rows.setdefault(table, {})
        for (indexed, _), index in self._indexes.items():
            if indexed == table:
                index.put(row_id, rows.get(row_id), row)
        if row is None:
            rows.pop(row_id, None)
        else:
            rows[row_id] = row

    # settings -------------------------------------------------------------------------------------------------------
    def setting(self, name: str, default: Any = None) -> Any:
        with self._lock:
            found = self._database.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return default if found is None else json.loads(found[0])

    def put_setting(self, name: str, value: Any) -> None:
        with self._lock:
            self._database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))

    # outbox ---------------------------------------------------------------------------------------------------------
    def post(self, queue: str, body: bytes, properties: Mapping[str, str], job: Mapping[str, str], due: float) -> None:
        """Keep a message for sending, together with the row change of the same transaction."""
        self._database.execute(
            "INSERT INTO outbox (queue, body, properties, job, due) VALUES (?, ?, ?, ?, ?)",
            (queue, body, json.dumps(dict(properties)), json.dumps(dict(job)), due),
        )

    def waiting(self, queue: str | None = None, limit: int = 200) -> list[Waiting]:
        """The messages of a queue, or of all, that are due first."""
        with self._lock:
            found = self._database.execute(
                "SELECT n, queue, body, properties, job, due, attempts FROM outbox"
                " WHERE queue = ?1 OR ?1 IS NULL ORDER BY due, n LIMIT ?2",
                (queue, limit),
            ).fetchall()
        return [
            Waiting(n, name, body, json.loads(properties), json.loads(job), due, attempts)
            for n, name, body, properties, job, due, attempts in found
        ]

    def queues_waiting(self) -> dict[str, int]:
        with self._lock:
            found = self._database.execute("SELECT queue, COUNT(*) FROM outbox GROUP BY queue").fetchall()
        return dict(found)

    def posted(self) -> int:
        """How many messages were ever kept for sending."""
        with self._lock:
            found = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        return 0 if found is None else int(found[0])

    def postpone(self, n: int, due: float) -> None:
        with self._lock:
            self._database.execute("UPDATE outbox SET due = ?, attempts = attempts + 1 WHERE n = ?", (due, n))

    def sent(self, n: int) -> None:
        with self._lock:
            self._database.execute("DELETE FROM outbox WHERE n = ?", (n,))


def _encode(row: Row) -> str:
    plain: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Ref):
            plain[name] = {"$ref": list(value)}
        elif isinstance(value, Decimal):
            plain[name] = {"$number": str(value)}
        elif isinstance(value, tuple):
            plain[name] = {"$choices": list(value)}
        else:
            plain[name] = value
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _decode(data: str) -> Row:
    row: dict[str, Any] = json.loads(data)
    for name, value in row.items():
        if isinstance(value, dict):
            ((kind, inner),) = value.items()
            row[name] = Ref(*inner) if kind == "$ref" else Decimal(inner) if kind == "$number" else tuple(inner)
    return row
