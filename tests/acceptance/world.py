"""The harness of the acceptance tests: a running sandbox, people who act on either side, and eyes on both.

A `World` is one sandbox under one set of app settings. It starts once, many tests share it, and they keep apart by
using customers and deals of their own; so whatever it counts, it counts by the id of a deal or between two moments. It
looks at the system from outside only: rows, referrals, requests received, queues and the log, never at `shared`. What
the simulators can be made to do is in `simulators`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.clients import SOLUTION_ID, PartnerCenterPortal, Seller
from sandbox.idle import StillBusy
from sandbox.layout import QUEUES
from sandbox.scenario import FABRIKAM_ADDRESS, FABRIKAM_CONTACT
from sandbox.supervisor import PARTS, Sandbox
from tests.acceptance.simulators import REFERRALS, Json, Simulators
from tests.sandbox.known_keys import create_layout

__all__ = ["REFERRALS", "Json", "World", "Worlds", "unique"]

SETTINGS: Mapping[str, object] = {
    "DEBOUNCE_SECONDS": 0.2,
    "SOLUTION_GRACE_SECONDS": 1.5,
    "TERMINAL_GRACE_MINUTES": 0.01,
    "CREATE_LEASE_SECONDS": 2,
    "BRAKE_CLOSINGS_PER_HOUR": 1000,
}
"""Waits as short as the machine allows, and no brake on what many tests close; a variant's settings come on top."""
_LONGEST_GRACE_S = 5
_numbers = itertools.count(1)


class World(Simulators):
    """One sandbox and its people. `settings` are what this variant sets beyond `SETTINGS`."""

    def __init__(self, state: Path, settings: Mapping[str, object]) -> None:
        parts = [part for part in PARTS if part != "page"]
        super().__init__(Sandbox(create_layout(state), settings={**SETTINGS, **settings}, parts=parts))
        self.profile = str(settings["PROFILE"])

    def start(self) -> None:
        """Start all parts and register the webhook for its four events."""
        self.sandbox.start()
        self.sandbox.register_webhook()
        self.remember_switches()

    def stop(self) -> None:
        self.close()
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
        opportunity = self.seller.opportunity(account_id, contact_id, **{"name": unique("Contoso analytics"), **values})
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
                "address": {**FABRIKAM_ADDRESS, "postalCode": f"8{number:04}"},
                "team": [{**FABRIKAM_CONTACT, "email": f"kim.berg{number}@fabrikam.example"}],
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
        self.empty_queues()
        self.sim("dataverse", "POST", "/_sim/reset")
        self.sim("partner_center", "POST", "/_sim/reset")
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

    def lead_of(self, referral_id: str) -> Json | None:
        """The lead that carries the referral's id, if there is one; several are a failure."""
        rows = self.seller.find("leads", filter=f"cosell_referralidentifier eq '{referral_id}'")
        assert len(rows) < 2, f"{len(rows)} leads carry referral {referral_id}"
        return rows[0] if rows else None

    def solutions(self, opportunity_id: str) -> list[Json]:
        """The solution rows, by solution id."""
        of_deal = f"_cosell_opportunityid_value eq {opportunity_id}"
        return self.seller.find("cosell_microsoftsolutions", filter=of_deal, orderby="cosell_solutionid")

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

    def tidy(self) -> None:
        """After each test: all parts run, no faults, ordinary switches, nothing of a failed test in the queues."""
        self.sandbox.restart_the_ended()
        self.undo()
        try:
            self.settle(5)
        except StillBusy:
            self.empty_queues()
            self.settle(60)


class Worlds:
    """The worlds that run: the one in use, and the one before while it stops."""

    def __init__(self, directory: Callable[[], Path]) -> None:
        self._directory = directory
        self._key: tuple[str, ...] = ()
        self._world: World | None = None
        self._stopping = ThreadPoolExecutor(1, thread_name_prefix="stopping")
        self._stops: list[Future[None]] = []

    def __call__(self, profile: str, settings: Mapping[str, object]) -> World:
        """The world of these settings; started, and the one before stopped, if it is another one."""
        key = (profile, *(f"{name}={value}" for name, value in sorted(settings.items())))
        if self._world is None or key != self._key:
            self._let_go()
            world = World(self._directory(), {"PROFILE": profile, **settings})
            world.start()
            self._key, self._world = key, world
        return self._world

    def tidy(self) -> None:
        """Tidy the world in use."""
        if self._world:
            self._world.tidy()

    def stop(self) -> None:
        """Stop everything, and wait for its end."""
        self._let_go()
        with self._stopping:
            for stop in self._stops:
                stop.result()

    def _let_go(self) -> None:
        if self._world:
            self._stops.append(self._stopping.submit(self._world.stop))
            self._world = None


def unique(text: str) -> str:
    """The text with a number that nobody else has."""
    return f"{text} {next(_numbers)}"


def _merged(base: Json, changes: Mapping[str, Any]) -> Json:
    both = dict(base)
    for name, value in changes.items():
        inner = both.get(name)
        both[name] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return both
