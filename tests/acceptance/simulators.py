"""The simulators as a test works them: what they received, what goes wrong, their clocks; and the app's own doors.

Everything goes over their control surfaces (docs/sandbox.md), so nothing here knows how a simulator is made. The people
and what they see are in `world`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from requests import Response

from sandbox.clients import connection
from sandbox.layout import QUEUES, Layout
from sandbox.supervisor import Sandbox

type Json = dict[str, Any]
type Part = Literal["partner_center", "dataverse", "entra", "broker"]

SIMULATORS: tuple[Part, ...] = ("partner_center", "dataverse", "entra")
REFERRALS = "/v1.0/engagements/referrals"
_SWITCHES: tuple[tuple[Part, str], ...] = (
    ("partner_center", "/_sim/quirks"),
    ("partner_center", "/_sim/delivery"),
    ("dataverse", "/_sim/events"),
    ("dataverse", "/_sim/switches"),
)
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass
class Tally:
    """Requests that a simulator received within a `with world.counting(...)` block."""

    requests: list[Json] = field(default_factory=list)

    def count(self, *methods: str, path: str = "/") -> int:
        """Those of the methods (any when none is named) below a path."""
        return sum((not methods or one["method"] in methods) and one["path"].startswith(path) for one in self.requests)


class Simulators:
    """The parts of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.layout: Layout = sandbox.layout
        self._http = connection(self.layout)
        self._ordinary: dict[tuple[Part, str], Json] = {}
        self._touched: set[str] = set()
        """Parts that were told something since their faults were removed and their switches restored."""

    def remember_switches(self) -> None:
        """What the switches say now is what `undo` brings back."""
        self._ordinary = {place: self._sim(place[0], "GET", place[1]).json() for place in _SWITCHES}

    def undo(self) -> None:
        """No faults and ordinary switches, wherever a test may have changed them."""
        touched = set(self._touched)
        for part in touched:
            self._remove_faults(part)
        for (part, path), switches in self._ordinary.items():
            if part in touched:
                self._sim(part, "PUT", path, json=switches)
        self._touched.clear()

    def close(self) -> None:
        self._http.close()

    # -- how much was said -------------------------------------------------------------------------------------------
    def requests(self, part: Part, method: str = "", path: str = "/") -> list[Json]:
        """The requests a simulator received from the connector, oldest first."""
        asked = {"method": method, "path": path}
        found: list[Json] = self._sim(part, "GET", "/_sim/requests", params=asked).json()
        return found

    def writes(self, opportunity_id: str) -> int:
        """The connector's PATCH and POST requests on this opportunity's row that were not refused."""
        path = f"/api/data/v9.2/opportunities({opportunity_id})"
        found = self.requests("dataverse", path=path)
        return sum(one["method"] in _WRITES and (one["status"] or 200) < 400 for one in found)

    def pc_writes(self, referral_id: str) -> int:
        """The connector's writes to this referral, refused ones too; its creation carries no id and is not counted."""
        found = self.requests("partner_center", path=f"{REFERRALS}/{referral_id}")
        return sum(one["method"] in _WRITES for one in found)

    @contextmanager
    def counting(self, part: Part = "partner_center") -> Iterator[Tally]:
        """What the connector asks of a simulator while the block runs; filled in when it ends."""
        before = max((one["n"] for one in self.requests(part)), default=0)
        tally = Tally()
        yield tally
        tally.requests = [one for one in self.requests(part) if one["n"] > before]

    # -- what goes wrong ---------------------------------------------------------------------------------------------
    def fault(self, part: Part, **fault: Any) -> int:
        """Plant a fault (docs/sandbox.md has the kinds); its id. Removed when the test ends."""
        if part == "broker":
            answer = self._broker("POST", "/faults", json=fault)
        else:
            answer = self._sim(part, "POST", "/_sim/faults", json=fault)
        return int(answer.json()["id"])

    def fired(self, part: Part, fault_id: int) -> int:
        """How often a planted fault has struck."""
        listed = self._broker("GET", "/faults") if part == "broker" else self._sim(part, "GET", "/_sim/faults")
        return int(next(one["fired"] for one in listed.json() if one["id"] == fault_id))

    def clear_faults(self) -> None:
        for part in (*SIMULATORS, "broker"):
            self._remove_faults(part)

    def _remove_faults(self, part: str) -> None:
        if part == "broker":
            self._broker("DELETE", "/faults")
        else:
            self._sim(part, "DELETE", "/_sim/faults")

    def advance(self, part: Part | Literal["all"], seconds: float) -> None:
        """Move a clock forward; for the broker: make what it holds older, so that scheduled messages come due."""
        for one in (*SIMULATORS, "broker") if part == "all" else (part,):
            if one == "broker":
                self._broker("POST", "/clock", json={"advance_s": seconds})
            else:
                self._sim(one, "POST", "/_sim/clock", json={"advance_s": seconds})

    def partner_center_delivery(self, **settings: Any) -> None:
        """Set how Partner Center delivers events: mode normal, stopped, drop, duplicate, reorder …"""
        self._sim("partner_center", "PUT", "/_sim/delivery", json=settings)

    def dataverse_events(self, **settings: Any) -> None:
        """Set how Dataverse posts its changes, with the same modes."""
        self._sim("dataverse", "PUT", "/_sim/events", json=settings)

    def dataverse_switches(self, **settings: Any) -> None:
        self._sim("dataverse", "PUT", "/_sim/switches", json=settings)

    def sim(self, part: Part, method: str, path: str, **arguments: Any) -> Response:
        """Any request to a simulator's own surface; an error status is a failure."""
        return (
            self._broker(method, path, **arguments) if part == "broker" else self._sim(part, method, path, **arguments)
        )

    # -- the app -----------------------------------------------------------------------------------------------------
    def function(self, name: str, body: Any = None, **options: Any) -> Response:
        """Call an HTTP function of the app with its key; any answer is returned."""
        key = {"x-functions-key": self.layout.host_key}
        return self._http.post(f"{self.layout.host_url}/api/{name}", json=body, headers=key, timeout=60, **options)

    def post_webhook(self, body: bytes, headers: Mapping[str, str]) -> Response:
        """Deliver a request to the webhook as anybody on the network could; any answer is returned."""
        url = f"{self.layout.host_url}/api/partner_center_webhook"
        return self._http.post(url, data=body, headers=dict(headers), timeout=60)

    def run_timer(self, name: str) -> None:
        """Run a timer function now and wait for its end; its failure is a failure of the test."""
        answer = self._http.post(
            f"{self.layout.host_url}/admin/functions/{name}?wait=true",
            headers={"x-functions-key": self.layout.host_key},
            json={},
            timeout=120,
        )
        assert answer.ok, f"{name} failed: {answer.text}"

    def log(self) -> str:
        """What the host has written since the sandbox began."""
        return (self.layout.state / "logs" / "host.log").read_text(encoding="utf-8", errors="replace")

    # -- queues ------------------------------------------------------------------------------------------------------
    def messages(self, queue: str, *, dead_letter: bool = False) -> list[Json]:
        found: list[Json] = self._broker(
            "GET", f"/queues/{queue}/messages", params={"dead_letter": str(dead_letter).lower()}
        ).json()
        return found

    def parked(self) -> list[Json]:
        """The messages set aside for a person, oldest first."""
        return self.messages("parked")

    def dead_letters(self) -> list[Json]:
        return [message for queue in QUEUES for message in self.messages(queue, dead_letter=True)]

    def empty_queues(self) -> None:
        """Parked and dead messages included."""
        for queue in QUEUES:
            self._broker("DELETE", f"/queues/{queue}")

    def _sim(self, part: str, method: str, path: str, **arguments: Any) -> Response:
        if method != "GET":
            self._touched.add(part)
        address = f"https://localhost:{self.layout.ports[part]}"
        return _ok(self._http.request(method, f"{address}{path}", timeout=30, **arguments))

    def _broker(self, method: str, path: str, **arguments: Any) -> Response:
        if method != "GET":
            self._touched.add("broker")
        return _ok(self._http.request(method, f"{self.layout.broker_admin_url}{path}", timeout=30, **arguments))


def _ok(answer: Response) -> Response:
    assert answer.ok, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:300]}"
    return answer
