"""When is the whole sandbox at rest? When no part has anything left to do, and nothing happened while they were asked.

The parts are asked one after the other, so a message can slip from one that is still to be asked to one that was. Hence
two rounds: each part says with its answer how much it has done so far, and when all answers of two rounds are equal,
each part was all the time between the rounds as it said, hence all of them at one moment. Each hands a message on
before it lets go of it, so that at no moment nobody has it. Messages in `parked` do not count: they wait for a person.
Scheduled messages do, unless the caller leaves them out: a debounced change is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import requests

from sandbox.layout import Layout

_PAUSE_S = 0.02
_LONGEST_QUESTION_S = 2.0
"""The broker answers when its queues are at rest, or after this time."""


class StillBusy(TimeoutError):
    """The time was up before everything came to rest; the sentence names what moves."""


def wait_idle(layout: Layout, http: requests.Session, within_s: float, *, scheduled: bool = True) -> None:
    """Return when two equal rounds found nothing to do. `scheduled`: messages with a start time count as work."""
    give_up_at = time.monotonic() + within_s
    before: list[Any] | None = None
    while True:
        left_s = give_up_at - time.monotonic()
        answers, busy = [], False
        for answer, moves in _asked(layout, http, scheduled=scheduled, patience_s=left_s):
            answers.append(answer)
            if busy := bool(moves):
                break
        if not busy and answers == before:
            return
        if left_s <= 0 and (busy or before is not None):
            found = [phrase for _, moves in _asked(layout, http, scheduled=scheduled) for phrase in moves]
            raise StillBusy(f"Not at rest after {within_s:.0f} s: {'; '.join(found) or 'messages come and go'}.")
        before = None if busy else answers
        if busy:
            time.sleep(_PAUSE_S)


def _asked(
    layout: Layout, http: requests.Session, *, scheduled: bool, patience_s: float = 0.0
) -> Iterator[tuple[Any, list[str]]]:
    """Each part's answer and what moves there, one phrase each; a part that does not answer counts as busy.

    The most likely first.
    """
    wait_s = max(0.0, min(patience_s, _LONGEST_QUESTION_S))
    rest = f"/idle?without=parked&scheduled={str(scheduled).lower()}&within_s={wait_s:.3f}"
    questions: dict[str, tuple[str, Callable[[Any], list[str]]]] = {
        "broker": (layout.broker_admin_url + rest, lambda answer: _of_queues(answer["queues"], scheduled=scheduled)),
        "host": (f"{layout.host_url}/admin/host/invocations", _of_host),
        "dataverse": (f"{layout.dataverse_url}/_sim/idle", _of_simulator("Dataverse")),
        "partner_center": (f"{layout.partner_center_url}/_sim/idle", _of_simulator("Partner Center")),
    }
    for part, (url, judge) in questions.items():
        try:
            reply = http.get(url, headers={"x-functions-key": layout.host_key}, timeout=5)
            reply.raise_for_status()
            answer = reply.json()
            yield answer, judge(answer)
        except requests.RequestException as error:
            yield None, [f"{part} does not answer ({type(error).__name__})"]


def _of_simulator(name: str) -> Callable[[Any], list[str]]:
    def judge(answer: Any) -> list[str]:
        if answer.get("idle"):
            return []
        return [f"{name} has {answer['pending']} events to deliver"]

    return judge


def _of_queues(queues: dict[str, dict[str, int]], *, scheduled: bool) -> list[str]:
    states = ("active", "locked", "scheduled") if scheduled else ("active", "locked")
    return [
        f"queue {name} holds {counts[state]} {state}"
        for name, counts in queues.items()
        if name != "parked"
        for state in states
        if counts[state]
    ]


def _of_host(functions: dict[str, dict[str, int]]) -> list[str]:
    return [f"{tally['running']} × {name} is running" for name, tally in functions.items() if tally["running"]]
