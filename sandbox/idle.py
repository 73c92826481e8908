"""When is the whole sandbox at rest? When no part has anything left to do, seen twice in a row.

Twice, because a message can be on its way between two parts while each of them is asked. Messages in `parked` do not
count: they wait for a person. Scheduled messages do, unless the caller leaves them out: a debounced change is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import requests

from sandbox.layout import Layout

_PAUSE_S = 0.05


class StillBusy(TimeoutError):
    """The time was up before everything came to rest; the sentence names what moves."""


def wait_idle(layout: Layout, http: requests.Session, within_s: float, *, scheduled: bool = True) -> None:
    """Return when two rounds in a row found nothing to do. `scheduled`: messages with a start time count as work."""
    give_up_at = time.monotonic() + within_s
    quiet = 0
    while True:
        busy = next(_busy(layout, http, scheduled=scheduled), None)
        quiet = 0 if busy else quiet + 1
        if quiet == 2:
            return
        if busy and time.monotonic() > give_up_at:
            everything = "; ".join(_busy(layout, http, scheduled=scheduled)) or busy
            raise StillBusy(f"Not at rest after {within_s:.0f} s: {everything}.")
        time.sleep(_PAUSE_S)


def _busy(layout: Layout, http: requests.Session, *, scheduled: bool) -> Iterator[str]:
    """What moves right now, one phrase each; a part that does not answer counts as busy.

    Asked one after the other, the most likely first: whoever only wants to know whether anything moves stops there.
    """
    questions: dict[str, tuple[str, Callable[[Any], list[str]]]] = {
        "broker": (f"{layout.broker_admin_url}/queues", lambda queues: _of_queues(queues, scheduled=scheduled)),
        "host": (f"{layout.host_url}/admin/host/invocations", _of_host),
        "dataverse": (f"{layout.dataverse_url}/_sim/idle", _of_simulator("Dataverse")),
        "partner_center": (f"{layout.partner_center_url}/_sim/idle", _of_simulator("Partner Center")),
    }
    for part, (url, judge) in questions.items():
        try:
            answer = http.get(url, headers={"x-functions-key": layout.host_key}, timeout=5)
            answer.raise_for_status()
            yield from judge(answer.json())
        except requests.RequestException as error:
            yield f"{part} does not answer ({type(error).__name__})"


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
