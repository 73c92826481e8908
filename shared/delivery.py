"""What becomes of a queue message: handled, tried again later, or set aside with its reason (decision A7).

A Python function cannot settle a message: returning completes it, raising brings it back at once. So a failure that may
pass is answered by a copy scheduled on the next rung of the ladder, and only then the original completes; one that will
not pass is parked with code, sentence and remedy. When even that send fails the exception goes up, and the queue's own
redelivery keeps the message. Authorisation and configuration errors park nothing: the message waits and is tried again.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import Field

from shared.dry_run import DryRun
from shared.errors import (
    AuthorizationError,
    Bug,
    ConfigurationError,
    Conflict,
    DataProblem,
    NotYet,
    SyncError,
    Throttled,
    Unavailable,
)
from shared.messages import Message, ParkedMessage, Queue, Reducible
from shared.ports import Clock, NoNotifications, Notifications, Queues

LADDER_S = (30, 120, 600, 1800, 7200, 21600, 43200)
"""Waits before the next try: 30 s, 2, 10, 30 min, 2, 6, 12 h; together longer than a night's outage.

Who was asked to wait (`Throttled`) waits that long, at least the first of them, and uses none up.
"""
SHORT_S = (0.3, 1, 3, 10, 30, 120)
"""Rungs before those, for what only waits for another flow; most are done within the first."""
WAITING_S = 60.0
"""How often a message is tried while an operator must act."""
DELAYED = timedelta(minutes=30)
"""Who made a change is told when it waits longer than this because the other side is down."""
_log = logging.getLogger("cosell.delivery")

type Late[T] = Callable[[T, datetime], None]
"""Told of a message that has been tried in vain since then."""


class Envelope(Message):
    """A message on the ladder: its body, reduced where it can be, and how often it was tried."""

    ladder: int = Field(ge=0)
    """Rungs behind it."""
    short: int = Field(0, ge=0)
    """Short rungs behind it; they use up none of the ladder's, which an outage may need a moment later."""
    first_seen_at: datetime
    told: bool = False
    """Whether anybody was told that it waits."""
    correlation_id: str
    body: str


@dataclass
class Alarms:
    """Says once that something stands still and once that it moves again."""

    notifications: Notifications
    raised: dict[str, str] = field(default_factory=dict)

    def raise_for(self, queue: str, error: SyncError) -> None:
        if self.raised.get(queue) != error.code:
            self.raised[queue] = error.code
            _log.error("ALERT %s stands still: %s", queue, error)
            self.notifications.post("Co-sell sync stands still", f"{error.sentence} {error.remedy}", {"Queue": queue})

    def clear(self, queue: str) -> None:
        if self.raised.pop(queue, None):
            _log.warning("RESUMED %s works again", queue)


class Delivery:
    """Runs handlers on messages; one per process, thread-safe."""

    def __init__(
        self,
        queues: Queues,
        clock: Clock,
        notifications: Notifications | None = None,
        ladder_s: tuple[float, ...] = LADDER_S,
    ) -> None:
        self._queues, self._clock, self._ladder = queues, clock, ladder_s
        self._notifications = notifications or NoNotifications()
        self._alarms = Alarms(self._notifications)

    def run[T](
        self,
        queue: Queue,
        body: bytes,
        parse: Callable[[str], T],
        handler: Callable[[T], str],
        late: Late[T] | None = None,
    ) -> None:
        """Handle one message of `queue`. `parse` may raise `DataProblem`: the message is then parked as it is.

        `late` hears of it once when it waits for a side that is down.
        """
        started = time.monotonic()
        envelope = self._open(body)
        try:
            parsed = parse(envelope.body)
            if isinstance(parsed, Reducible):
                envelope = envelope.model_copy(update={"body": parsed.essence()})
            outcome = handler(parsed)
        except (AuthorizationError, ConfigurationError) as error:
            self._alarms.raise_for(queue, error)
            self._again(queue, envelope, WAITING_S)
            outcome = f"waits for an operator: {error.code}"
        except (Unavailable, Conflict) as error:
            if late and self._is_late(envelope, error):
                envelope = self._tell(queue, envelope, lambda since: late(parsed, since))
            outcome = self._next_rung(queue, envelope, error)
        except DataProblem as error:
            self._park(queue, envelope, error)
            outcome = f"parked: {error.code}"
        except DryRun as stop:
            outcome = stop.sentence
        except SyncError as error:
            outcome = self._next_rung(queue, envelope, error)
        except Exception as error:  # noqa: BLE001 - the ladder's last net; nothing is swallowed, see _bug
            outcome = self._next_rung(queue, envelope, _bug(error))
        else:
            self._alarms.clear(queue)
        took = (time.monotonic() - started) * 1000
        _log.info("%s %s: %s (%.0f ms)", queue, envelope.correlation_id[:8], outcome, took)

    def _open(self, body: bytes) -> Envelope:
        text = body.decode("utf-8", errors="replace")
        if '"ladder"' in text:  # asked first, as most are on the ladder never
            with suppress(ValueError):
                return Envelope.model_validate_json(text)
        return Envelope(ladder=0, first_seen_at=self._clock(), correlation_id=_correlation(text), body=text)

    def _next_rung(self, queue: Queue, envelope: Envelope, error: SyncError) -> str:
        tries = envelope.ladder + envelope.short + 1
        rung: float
        if isinstance(error, Throttled):  # asked to wait, which is no failure: no rung is used up, nothing parked
            rung, after = self._ladder[0], {}
        elif isinstance(error, NotYet) and envelope.short < len(SHORT_S):
            rung, after = SHORT_S[envelope.short], {"short": envelope.short + 1}
        elif envelope.ladder < len(self._ladder):
            rung, after = self._ladder[envelope.ladder], {"ladder": envelope.ladder + 1}
        else:
            self._park(queue, envelope, error)
            return f"parked after {tries} tries: {error.code}"
        wait = max(rung, getattr(error, "retry_after_s", None) or 0.0)
        self._again(queue, envelope.model_copy(update=after), wait)
        _log.warning("%s %s: %s; next try in %g s", queue, envelope.correlation_id[:8], error, round(wait, 1))
        return f"again in {round(wait, 1):g} s: {error.code}"

    def _is_late(self, envelope: Envelope, error: SyncError) -> bool:
        down = isinstance(error, Unavailable) and not isinstance(error, NotYet)  # or overrun, which takes as long
        return down and not envelope.told and self._clock() - envelope.first_seen_at > DELAYED

    def _tell(self, queue: Queue, envelope: Envelope, tell: Callable[[datetime], None]) -> Envelope:
        """The envelope that remembers it. Telling may fail like anything else: then the next try tells."""
        try:
            tell(envelope.first_seen_at)
        except Exception as error:  # noqa: BLE001 - named and logged; the message itself goes on as if nobody were told
            why = error if isinstance(error, SyncError) else _bug(error)
            _log.warning("%s %s: nobody could be told of the delay: %s", queue, envelope.correlation_id[:8], why)
            return envelope
        return envelope.model_copy(update={"told": True})

    def _again(self, queue: Queue, envelope: Envelope, wait_s: float) -> None:
        self._queues.resend(queue, envelope.to_json(), delay_s=wait_s)

    def _park(self, queue: Queue, envelope: Envelope, error: SyncError) -> None:
        _log.error("PARKED %s %s: %s", queue, envelope.correlation_id[:8], error)
        self._queues.park(
            ParkedMessage(
                code=error.code,
                sentence=error.sentence,
                remedy=error.remedy,
                queue=queue,
                correlation_id=envelope.correlation_id,
                body=envelope.body,
                attempt=envelope.ladder + envelope.short,
                first_seen_at=envelope.first_seen_at,
                parked_at=self._clock(),
            )
        )
        facts = {"Queue": str(queue), "Code": error.code, "Run": envelope.correlation_id[:8]}
        self._notifications.post("A co-sell message was set aside", f"{error.sentence} {error.remedy}", facts)


@contextmanager
def foreseen() -> Iterator[None]:
    """Lets nothing but our own errors out: the worker reports an exception's words, and a library's may quote data."""
    try:
        yield
    except SyncError:
        raise
    except Exception as error:  # noqa: BLE001 - named, logged with its places, and raised again
        raise _bug(error) from None


def _correlation(body: str) -> str:
    """The correlation id a body carries, whoever wrote it; a new one where there is none."""
    try:
        document = json.loads(body)
        return str(uuid.UUID(document.get("correlationId") or document.get("CorrelationId")))
    except (ValueError, AttributeError, TypeError, RecursionError):
        return str(uuid.uuid4())


def _bug(error: Exception) -> Bug:
    _log.exception("An unforeseen failure")
    return Bug(
        "UNFORESEEN", f"An unforeseen failure of kind {type(error).__name__}.", "Report it with the log's traceback."
    )
