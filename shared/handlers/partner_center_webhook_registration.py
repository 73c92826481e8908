"""Flow 1: point Partner Center's one webhook registration at us: plan, register, update, or refuse.

A tenant has one registration with one address; taking it over silently disconnects whoever had it. So the plan is made
first, a foreign address is only replaced when the operator says so, and events somebody else put into our own
registration stay in it. Afterwards a test event proves that deliveries arrive.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.errors import Conflict, Throttled
from shared.ports import Registration, WebhookRegistrations

TEST_EVENT = "test-created"
_log = logging.getLogger("cosell.registration")
Result = Literal["REGISTERED", "UPDATED", "UNCHANGED", "REFUSED_EXISTING"]


@dataclass(frozen=True)
class Outcome:
    """What was done. `previous` is what stood there before, for restoring it."""

    result: Result
    sentence: str
    registration: Registration | None
    previous: Registration | None = None
    delivered: bool | None = None
    """Whether a test event arrived; None when none was sent."""


def handle(
    registrations: WebhookRegistrations,
    url: str,
    events: Sequence[str],
    *,
    overwrite: bool,
    test: bool = True,
    sleep: Callable[[float], None] = time.sleep,
    patience_s: float = 15,
) -> Outcome:
    """Register `url` for `events`. `AuthorizationError` when the service user may not."""
    outcome = _register(registrations, url, events, overwrite=overwrite)
    _log.warning("%s %s", outcome.result, outcome.sentence) if outcome.previous else _log.info(outcome.sentence)
    if not test or outcome.result == "REFUSED_EXISTING":
        return outcome
    delivered = _arrives(registrations, sleep, patience_s)
    return Outcome(outcome.result, outcome.sentence, outcome.registration, outcome.previous, delivered)


def _register(registrations: WebhookRegistrations, url: str, events: Sequence[str], *, overwrite: bool) -> Outcome:
    wanted = tuple(dict.fromkeys((*events, TEST_EVENT)))
    current = registrations.current()
    if current is None:
        try:
            made = registrations.register(url, wanted)
        except Conflict:  # somebody registered between our two calls
            current = registrations.current()
        else:
            return Outcome("REGISTERED", f"Registered {len(wanted)} events.", made)
    if current is not None and current.url == url:
        merged = tuple(dict.fromkeys((*current.events, *wanted)))
        if set(merged) == set(current.events):
            return Outcome("UNCHANGED", "The registration is already as wanted.", current)
        return Outcome("UPDATED", "Added the missing events.", registrations.replace(url, merged), current)
    if not overwrite:
        lost = current.url if current else "another address"
        sentence = f"The registration points to {_without_key(lost)}; nothing was changed."
        return Outcome("REFUSED_EXISTING", sentence + " Ask for overwrite to take it over.", current)
    replaced = registrations.replace(url, wanted)
    if current is None:
        return Outcome("UPDATED", "Took the registration over.", replaced)
    others = sorted(set(current.events) - set(wanted))
    sentence = f"{_without_key(current.url)} no longer receives any event"
    sentence += f"; these were its alone: {', '.join(others)}." if others else "."
    return Outcome("UPDATED", sentence, replaced, current)


def _without_key(url: str) -> str:
    """An address fit for a log: a function key may stand in its query."""
    return url.split("?", 1)[0]


def _arrives(registrations: WebhookRegistrations, sleep: Callable[[float], None], patience_s: float) -> bool | None:
    """Whether a test event reaches us; None when Partner Center allows no more tests this minute."""
    try:
        test = registrations.send_test_event()
    except Throttled:
        return None
    waited, step = 0.0, 0.2
    while True:
        result = registrations.test_result(test)
        if result.delivered or (result.finished and result.attempts) or waited >= patience_s:
            return result.delivered
        sleep(step)
        waited += step
        step = min(step * 1.5, 2.0)
