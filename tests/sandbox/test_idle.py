"""When the sandbox counts as at rest: against parts that say what a script tells them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.idle import StillBusy, wait_idle
from sandbox.layout import Layout

QUIET = {"active": 0, "scheduled": 0, "deferred": 0, "locked": 0, "dead_letter": 0}
type Answers = Callable[[str, int], Any]


class Parts(requests.Session):
    """`answers(part, n)`: what a part says when it is asked for the n-th time, counted from 1; None for no answer."""

    def __init__(self, layout: Layout, answers: Answers) -> None:
        super().__init__()
        self._names = {layout.ports[name]: name for name in layout.ports}
        self._answers = answers
        self.asked: list[str] = []

    def get(self, url: str | bytes, **_: Any) -> requests.Response:  # type: ignore[override]
        port = int(str(url).split("/")[2].rpartition(":")[2])
        name = self._names[port]
        self.asked.append(name)
        said = self._answers(name, self.asked.count(name))
        if said is None:
            raise requests.ConnectionError
        answer = requests.Response()
        answer.status_code = 200
        answer._content = json.dumps(said).encode()
        return answer


def at_rest(part: str, _: int) -> Any:
    """Everybody is at rest, and nothing ever happens."""
    return {
        "broker_admin": {"idle": True, "sent": 7, "queues": {"parked": QUIET | {"active": 3}, "hints": QUIET}},
        "host": {"flow": {"invocations": 5, "running": 0}},
        "dataverse": {"idle": True, "posted": 4, "pending": 0},
        "partner_center": {"idle": True, "events": 2, "attempts": 2, "pending": 0},
    }[part]


def but(part: str, when: Callable[[int], bool], **differs: Any) -> Answers:
    """At rest, but this part says otherwise when it is asked for certain times."""
    return lambda name, n: at_rest(name, n) | (differs if name == part and when(n) else {})


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path)


ROUND = ["broker_admin", "host", "dataverse", "partner_center"]


def test_two_equal_rounds_are_rest(layout: Layout) -> None:
    parts = Parts(layout, at_rest)
    wait_idle(layout, parts, 5)
    assert parts.asked == ROUND * 2


@pytest.mark.parametrize(
    ("part", "differs"),
    [
        ("broker_admin", {"sent": 8}),
        ("host", {"flow": {"invocations": 6, "running": 0}}),
        ("dataverse", {"posted": 5}),
        ("partner_center", {"events": 3, "attempts": 3}),
        ("partner_center", {"attempts": 3}),
    ],
)
def test_what_happened_between_two_questions_is_no_rest(layout: Layout, part: str, differs: dict[str, Any]) -> None:
    parts = Parts(layout, but(part, lambda n: n > 1, **differs))
    wait_idle(layout, parts, 5)
    assert parts.asked == ROUND * 3


def test_whoever_is_busy_is_asked_again_and_the_rest_later(layout: Layout) -> None:
    busy = {"flow": {"invocations": 6, "running": 1}}
    parts = Parts(layout, but("host", lambda n: n == 1, **busy))
    wait_idle(layout, parts, 5)
    assert parts.asked == [*ROUND[:2], *ROUND * 2]


def test_the_time_is_up(layout: Layout) -> None:
    def answers(part: str, n: int) -> Any:
        if part == "broker_admin":
            return {"queues": {"hints": QUIET | {"active": 1, "scheduled": 2}}}
        return None if part == "host" else at_rest(part, n)

    with pytest.raises(StillBusy) as still:
        wait_idle(layout, Parts(layout, answers), 0)
    assert str(still.value) == (
        "Not at rest after 0 s: queue hints holds 1 active; queue hints holds 2 scheduled; "
        "host does not answer (ConnectionError)."
    )


def test_a_system_that_never_rests_is_given_up(layout: Layout) -> None:
    def answers(part: str, n: int) -> Any:
        return at_rest(part, n) | ({"posted": n} if part == "dataverse" else {})

    with pytest.raises(StillBusy, match="messages come and go"):
        wait_idle(layout, Parts(layout, answers), 0.05)


@pytest.mark.parametrize(("scheduled", "rests"), [(True, False), (False, True)])
def test_scheduled_messages_count_unless_left_out(layout: Layout, scheduled: bool, rests: bool) -> None:
    parts = Parts(layout, but("broker_admin", lambda _: True, queues={"hints": QUIET | {"scheduled": 1}}))
    if rests:
        wait_idle(layout, parts, 0, scheduled=scheduled)
    else:
        with pytest.raises(StillBusy):
            wait_idle(layout, parts, 0, scheduled=scheduled)
