"""The harness of the acceptance tests: a running sandbox, people who act on either side, and eyes on both.

A `World` is one sandbox under one set of app settings. It starts once, many tests share it, and they keep apart by
using customers and deals of their own; so whatever it counts, it counts by the id of a deal or between two moments. It
looks at the system from outside only: rows, referrals, requests received, queues and the log, never at `shared`.
"""

from __future__ import annotations

import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from requests import Response

from sandbox.clients import SOLUTION_ID, PartnerCenterPortal, Seller, connection
from sandbox.idle import StillBusy
from sandbox.layout import QUEUES, Layout
from sandbox.supervisor import PARTS, Sandbox

type Json = dict[str, Any]
type Part = Literal["partner_center", "dataverse", "entra", "broker"]

SIMULATORS: tuple[Part, ...] = ("partner_center", "dataverse", "entra")
SETTINGS: Mapping[str, object] = {
    "DEBOUNCE_SECONDS": 0.2,
    "SOLUTION_GRACE_SECONDS": 1.5,
    "TERMINAL_GRACE_MINUTES": 0.02,
    "CREATE_LEASE_SECONDS": 2,
}
"""Waits as short as the machine allows; a variant's settings come on top."""
REFERRALS = "/v1.0/engagements/referrals"
_SWITCHES: tuple[tuple[Part, str], ...] = (
    ("partner_center", "/_sim/quirks"),
    ("partner_center", "/_sim/delivery"),
    ("dataverse", "/_sim/events"),
    ("dataverse", "/_sim/switches"),
)
_MOST_VARIANTS = 2
_LONGEST_GRACE_S = 5
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_numbers = itertools.count(1)


@dataclass
class Tally:
    """Requests that a simulator received within a `with world.counting(...)` block."""

    requests: list[Json] = field(default_factory=list)

    def count(self, *methods: str, path: str = "/") -> int:
        """Those of the methods (any when none is named) below a path."""
        return sum((not methods or one["method"] in methods) and one["path"].startswith(path) for one in self.requests)


class World:
    """One sandbox and its people. `settings` are what this variant sets beyond `SETTINGS`."""

    def __init__(self, state: Path, settings: Mapping[str, object]) -> None:
        self.sandbox = Sandbox(
            Layout.create(state),
            settings={**SETTINGS, **settings},
            parts=tuple(part for part in PARTS if part != "page"),
        )
        self.layout: Layout = self.sandbox.layout
        self._http = connection(self.layout)
        self._ordinary: dict[tuple[Part, str], Json] = {}
        """What the simulators' switches say at the start."""

    def start(self) -> None:
        """Start all parts and register the webhook for its four events."""
        self.sandbox.start()
        self.sandbox.register_webhook()
        self._ordinary = {place: self._sim(place[0], "GET", place[1]).json() for place in _SWITCHES}

    def stop(self) -> None:
        self._http.close()
        self.sandbox.stop()

    # -- people ------------------------------------------------------------------------------------------------------
    @property
    def seller(self) -> Seller:
        return self.sandbox.seller

    @property
    def portal(self) -> PartnerCenterPortal:
        return self.sandbox.portal

    def new_account(self, **values: Any) -> str:
        """A complete account (US, 98xxx) that no other test has; its id."""
        number = next(_numbers)
        return self.seller.account(**{"name": f"Contoso {number}", "address1_postalcode": f"9{number:04}", **values})

    def new_deal(
        self,
        *,
        account: str | Mapping[str, Any] | None = None,
        contact: str | Mapping[str, Any] | None = None,
        with_contact: bool = True,
        solutions: Sequence[str] = (SOLUTION_ID,),
        help_option: int | None = None,
        **values: Any,
    ) -> str:
        """An opportunity with Sync = Yes as a seller enters it, nothing awaited; its id.

        `account` and `contact`: an id, or the columns that differ from a complete one. `help_option` asks Microsoft for
        help. `values` are further columns of the opportunity; by default 50 000 USD by 2027-06-30, help empty.
        """
        account_id = account if isinstance(account, str) else self.new_account(**(account or {}))
        contact_id = contact if isinstance(contact, str) else None
        if with_contact and contact_id is None:
            contact_id = self.seller.contact(account_id, **(contact if isinstance(contact, Mapping) else {}))
        if help_option is not None:
            values = {"cosell_howcanmicrosofthelp": help_option, **values}
        opportunity = self.seller.opportunity(
            account_id, contact_id, **{"name": f"Contoso analytics {next(_numbers)}", **values}
        )
        for number, solution in enumerate(solutions):
            self.seller.solution(opportunity, solution, f"Warehouse Insight {number or ''}".strip())
        return opportunity

    def shared_deal(self, **values: Any) -> str:
        """A `new_deal` that has arrived in Partner Center; its opportunity id."""
        opportunity = self.new_deal(**values)
        self.settle()
        row = self.opportunity(opportunity)
        assert row["cosell_referralidentifier"], f"the deal was not shared: {row['cosell_audit']}"
        return opportunity

    def inbound(self, **values: Any) -> Json:
        """Microsoft sends a deal for a customer that no other test has; the partner's referral, nothing awaited.

        Dictionaries in `values` are merged into the defaults, lists replace them.
        """
        return self.portal.inbound(**_merged(self.example(), values))

    def created_in_portal(self, **values: Any) -> Json:
        """The same, but the partner's own user creates the deal in the portal."""
        return self.portal.create(**_merged(self.example(), values))

    def example(self) -> Json:
        """A deal in US dollars for a new customer, as a partial referral."""
        number = next(_numbers)
        return {
            "name": f"Fabrikam rollout {number}",
            "customerProfile": {
                "name": f"Fabrikam {number}",
                "address": {
                    "addressLine1": "12 Harbour Road",
                    "city": "Portland",
                    "state": "OR",
                    "postalCode": f"8{number:04}",
                    "country": "US",
                },
                "team": [
                    {
                        "firstName": "Kim",
                        "lastName": "Berg",
                        "email": f"kim.berg{number}@fabrikam.example",
                        "phoneNumber": "+1 503 555 0142",
                    }
                ],
            },
            "details": {
                "dealValue": 80000,
                "currency": "USD",
                "closingDateTime": "2027-09-30T00:00:00Z",
                "notes": "Two sites.",
            },
        }

    def start_over(self) -> None:
        """Both systems empty, the queues too, and no webhook registered; for tests of the beginning."""
        for queue in QUEUES:
            self._broker("DELETE", f"/queues/{queue}")
        for part in ("dataverse", "partner_center"):
            self._sim(part, "POST", "/_sim/reset")
        self.settle()

    # -- rest --------------------------------------------------------------------------------------------------------
    def settle(self, within_s: float = 30, *, scheduled: bool = True) -> None:
        """Return when nothing is under way.

        Without `scheduled`, messages that wait longer than any grace period (the retry ladder's) may stay: bring them
        forward with `advance("broker", …)`.
        """
        give_up_at = time.monotonic() + within_s
        quiet = 0
        while quiet < 2:  # twice: what was scheduled may start between the two questions
            self.sandbox.wait_idle(max(1.0, give_up_at - time.monotonic()), scheduled=scheduled)
            quiet = 2 if scheduled else 0 if self._due_soon() else quiet + 1
            assert time.monotonic() < give_up_at or quiet, f"messages still come due after {within_s:.0f} s"

    def settle_ladder(self, within_s: float = 30) -> None:
        """Return when nothing is under way and nothing waits; the retry ladder's waits are skipped one by one."""
        self.settle(within_s, scheduled=False)
        give_up_at = time.monotonic() + within_s
        while any(message["state"] == "scheduled" for queue in QUEUES for message in self.messages(queue)):
            assert time.monotonic() < give_up_at, f"messages still wait for another try after {within_s:.0f} s"
            self.advance("broker", 60)
            self.settle(within_s, scheduled=False)

    def _due_soon(self) -> bool:
        """Whether a message is due within the longest grace period, or was when we looked."""
        horizon = datetime.now(UTC) + timedelta(seconds=_LONGEST_GRACE_S)
        return any(
            message["state"] != "scheduled" or datetime.fromisoformat(message["scheduled_at"]) < horizon
            for queue in QUEUES
            if queue != "parked"
            for message in self.messages(queue)
        )

    def until(self, seen: Callable[[], bool], what: str, within_s: float = 20) -> None:
        """Return once `seen` is true; for the moments before everything is at rest."""
        give_up_at = time.monotonic() + within_s
        while not seen():
            assert time.monotonic() < give_up_at, f"not seen within {within_s:.0f} s: {what}"
            time.sleep(0.05)

    # -- what the CRM holds ------------------------------------------------------------------------------------------
    def opportunity(self, opportunity_id: str) -> Json:
        """The row with all its columns, lookups as `_name_value`."""
        return self.seller.read("opportunities", opportunity_id)

    def opportunity_of(self, referral_id: str) -> Json:
        """The one opportunity that carries the referral's id."""
        rows = self.seller.find("opportunities", filter=f"cosell_referralidentifier eq '{referral_id}'")
        assert len(rows) == 1, f"{len(rows)} opportunities carry referral {referral_id}"
        return self.opportunity(rows[0]["opportunityid"])

    def lead(self, lead_id: str) -> Json:
        return self.seller.read("leads", lead_id)

    def lead_of(self, referral_id: str) -> Json | None:
        """The lead that carries the referral's id, if there is one; several are a failure."""
        rows = self.seller.find("leads", filter=f"cosell_referralidentifier eq '{referral_id}'")
        assert len(rows) < 2, f"{len(rows)} leads carry referral {referral_id}"
        return rows[0] if rows else None

    def solutions(self, opportunity_id: str) -> list[Json]:
        """The solution rows, by solution id."""
        return self.seller.find(
            "cosell_microsoftsolutions",
            filter=f"_cosell_opportunityid_value eq {opportunity_id}",
            orderby="cosell_solutionid",
        )

    def audit(self, row_id: str, table: str = "opportunities") -> list[str]:
        """The lines of the audit column, newest first."""
        return str(self.seller.read(table, row_id, "cosell_audit")["cosell_audit"] or "").splitlines()

    # -- what Partner Center holds -----------------------------------------------------------------------------------
    def referral(self, referral_id: str) -> Json:
        return self.portal.referral(referral_id)

    def owns_of(self, opportunity_id: str) -> list[Json]:
        """Every referral of ours that carries this CRM id."""
        found = self.portal.of_opportunity(opportunity_id)
        return [one for one in found if one["organizationId"] == self.layout.organization_id]

    def own_of(self, opportunity_id: str) -> Json:
        """The one referral of ours that carries this CRM id."""
        found = self.owns_of(opportunity_id)
        assert len(found) == 1, f"{len(found)} referrals of ours carry CRM id {opportunity_id}"
        return found[0]

    def microsofts_of(self, opportunity_id: str) -> list[Json]:
        """Microsoft's referrals of the deal."""
        engagement = self.own_of(opportunity_id)["engagementId"]
        return [one for one in self.portal.engagement(engagement) if one["organizationId"] == "msft"]

    # -- how much was said -------------------------------------------------------------------------------------------
    def requests(self, part: Part, method: str = "", path: str = "/", client: str | None = None) -> list[Json]:
        """The requests a simulator received from the connector, oldest first."""
        asked = {"method": method, "path": path, "client": client or ""}
        found: list[Json] = self._sim(part, "GET", "/_sim/requests", params=asked).json()
        return found

    def calls(self, part: Part, method: str, path_prefix: str, client: str | None = None) -> int:
        return len(self.requests(part, method, path_prefix, client))

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
        self._broker("DELETE", "/faults")
        for part in SIMULATORS:
            self._sim(part, "DELETE", "/_sim/faults")

    def advance(self, part: Part | Literal["all"], seconds: float) -> None:
        """Move a clock forward; for the broker: make what it holds older, so that scheduled messages come due."""
        for one in (*SIMULATORS, "broker") if part == "all" else (part,):
            if one == "broker":
                self._broker("POST", "/clock", json={"advance_s": seconds})
            else:
                self._sim(one, "POST", "/_sim/clock", json={"advance_s": seconds})

    def quirks(self, **quirks: Any) -> None:
        """Set what Partner Center does where its sources are silent (sandbox.partner_center.quirks)."""
        self._sim("partner_center", "PUT", "/_sim/quirks", json=quirks)

    def partner_center_delivery(self, **settings: Any) -> None:
        """Set how Partner Center delivers events: mode normal, stopped, drop, duplicate, reorder …"""
        self._sim("partner_center", "PUT", "/_sim/delivery", json=settings)

    def dataverse_events(self, **settings: Any) -> None:
        """Set how Dataverse posts its changes, with the same modes."""
        self._sim("dataverse", "PUT", "/_sim/events", json=settings)

    def dataverse_switches(self, **settings: Any) -> None:
        self._sim("dataverse", "PUT", "/_sim/switches", json=settings)

    def interleave(self, table: str, row_id: str, times: int = 1, **values: Any) -> None:
        """Another user's edit gets in right before the connector's next PATCH of the row."""
        edit = {"table": table, "id": row_id, "values": values, "times": times}
        self._sim("dataverse", "POST", "/_sim/interleave", json=edit)

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

    def tidy(self) -> None:
        """After each test: all parts run, no faults, ordinary switches, nothing of a failed test in the queues."""
        self.sandbox.restart_the_ended()
        self.clear_faults()
        for (part, path), switches in self._ordinary.items():
            self._sim(part, "PUT", path, json=switches)
        try:
            self.settle(5)
        except StillBusy:
            self._drain()

    def _drain(self) -> None:
        for queue in QUEUES:
            self._broker("DELETE", f"/queues/{queue}")
        self.settle(60)

    def _sim(self, part: str, method: str, path: str, **arguments: Any) -> Response:
        address = f"https://localhost:{self.layout.ports[part]}"
        return _ok(self._http.request(method, f"{address}{path}", timeout=30, **arguments))

    def _broker(self, method: str, path: str, **arguments: Any) -> Response:
        return _ok(self._http.request(method, f"{self.layout.broker_admin_url}{path}", timeout=30, **arguments))


class Worlds:
    """The variants that are running.

    The plain ones of both profiles stay, as most tests use them; of the others the one least recently used stops when
    there are more than `_MOST_VARIANTS`.
    """

    def __init__(self, directory: Callable[[], Path]) -> None:
        self._directory = directory
        self._plain: dict[str, World] = {}
        self._variants: OrderedDict[tuple[str, ...], World] = OrderedDict()
        self._used: list[World] = []
        self._stopping = ThreadPoolExecutor(4, thread_name_prefix="stopping")

    def __call__(self, profile: str = "extended", **settings: object) -> World:
        """The world of these settings, started if it does not run."""
        world = self._variant(profile, settings) if settings else self._plain.get(profile)
        if world is None:
            world = self._plain[profile] = self._started(profile, {})
        self._used.append(world)
        return world

    def tidy(self) -> None:
        """Tidy the worlds asked for since the last time."""
        used, self._used = self._used, []
        for world in used:
            world.tidy()

    def stop(self) -> None:
        """Stop them all, and those that are stopping."""
        running = [*self._plain.values(), *self._variants.values()]
        with self._stopping:
            list(self._stopping.map(World.stop, running))

    def _variant(self, profile: str, settings: Mapping[str, object]) -> World:
        key = (profile, *(f"{name}={value}" for name, value in sorted(settings.items())))
        if key not in self._variants:
            if len(self._variants) >= _MOST_VARIANTS:
                self._stopping.submit(self._variants.popitem(last=False)[1].stop)
            self._variants[key] = self._started(profile, settings)
        self._variants.move_to_end(key)
        return self._variants[key]

    def _started(self, profile: str, settings: Mapping[str, object]) -> World:
        world = World(self._directory(), {"PROFILE": profile, **settings})
        world.start()
        return world


def unique(text: str) -> str:
    """The text with a number that nobody else has."""
    return f"{text} {next(_numbers)}"


def _merged(base: Json, changes: Mapping[str, Any]) -> Json:
    both = dict(base)
    for name, value in changes.items():
        inner = both.get(name)
        both[name] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return both


def _ok(answer: Response) -> Response:
    assert answer.ok, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:300]}"
    return answer
