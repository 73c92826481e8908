"""Named stories of one deal, each a few deeds long: what `every_step` lets fail at every port call.

A `Scenario` is data: what was there before, at rest on both sides, and the deeds whose calls are then made to fail. The
deeds are those of `people`, and a few here that say exactly what kind of deal is meant. The table is at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from shared.handlers import reminders
from tests.chaos.deeds_in_crm import HELP, NOT_VISIBLE, VISIBLE
from tests.chaos.faults import Killed
from tests.chaos.people import People, Step
from tests.chaos.world import World

_WORK_S = 20.0
"""Long enough for everything that a deed sets off, the grace period of an ending excepted."""


@dataclass(frozen=True)
class Scenario:
    """`deeds` are done one right after the other unless `pause` stands between them."""

    name: str
    before: tuple[str, ...]
    deeds: tuple[str, ...]
    by_sweep: bool = False
    """One failure may leave the rest to the next sweep: what a timer starts, and rows that are written one by one."""
    policies: dict[str, object] = field(default_factory=dict)
    """Settings other than the defaults, as `Connections` has them."""


class Cast(People):
    """People, and the timers."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.world = world
        self._number = 0

    def play_all(self, deeds: Iterable[str]) -> None:
        """Every one must find somebody to act on: a story in which nothing happens proves nothing."""
        for deed in deeds:
            self._number += 1
            if not self.play(Step(self._number, deed, 0, 0.0)):
                raise LookupError(f"{deed} found nobody to act on")

    # deals ----------------------------------------------------------------------------------------------------------
    def private_deal(self, step: Step) -> bool:
        return self._deal(step, visible=False)

    def co_sell_deal(self, step: Step) -> bool:
        return self._deal(step, help_wanted=True)

    def deal_without_country(self, step: Step) -> bool:
        return self._deal(step, country="Norge")

    def unsynced_deal(self, step: Step) -> bool:
        return self._deal(step, synced=False)

    def _deal(
        self, step: Step, *, visible: bool = True, help_wanted: bool = False, country: str = "NO", synced: bool = True
    ) -> bool:
        account = self._account(step, country)
        values = {
            "name": f"Deal {step.number}",
            "estimatedvalue": self.amount(step),
            "estimatedclosedate": self.day(step),
            "description": self.text(step),
            "parentaccountid": account,
            "parentcontactid": self._contact(step, account),
            "cosell_referralvisibility": VISIBLE if visible else NOT_VISIBLE,
            "cosell_syncwithpartnercenter": synced,
            **({"cosell_howcanmicrosofthelp": HELP} if help_wanted else {}),
        }
        self._add_solution(self.crm.create("opportunity", values), step.number)
        return True

    # time and timers ------------------------------------------------------------------------------------------------
    def rest(self, _step: Step) -> bool:
        """Until nothing is left to do."""
        self.world.drain()
        return True

    def pause(self, _step: Step) -> bool:
        """A moment, in which an ending still waits."""
        self.world.work_until(self.clock() + timedelta(seconds=_WORK_S))
        return True

    def a_week(self, _step: Step) -> bool:
        self.clock.advance(timedelta(days=7).total_seconds() + 60)
        return True

    def no_events(self, _step: Step) -> bool:
        """From now on nobody is told anything."""
        self.world.feeds.deaf = True
        return True

    def events_again(self, _step: Step) -> bool:
        self.world.feeds.deaf = False
        return True

    def sweep(self, _step: Step) -> bool:
        try:
            self.world.sweep()
        except Killed:
            self.world.host.kill()
        return True

    def remind(self, _step: Step) -> bool:
        try:
            reminders.handle(self.world.connections)
        except Killed:
            self.world.host.kill()
        except Exception:  # noqa: BLE001 - as the host does with a timer's function
            return True
        return True


_SHARED = ("co_sell_deal", "rest", "microsoft_accepts")
"""A deal that Microsoft is part of."""
_MISSED = ("no_events", "value", "portal_date", "events_again")
ALWAYS = (
    Scenario("a private deal is shared", (), ("private_deal",)),
    Scenario("a co-sell deal is shared", (), ("co_sell_deal",)),
    Scenario("a private deal becomes co-sell", ("private_deal",), ("make_visible", "ask_for_help")),
    Scenario("a seller changes the value", _SHARED, ("value",)),
    Scenario("the portal changes the value", _SHARED, ("portal_value",)),
    Scenario("both sides change different fields", _SHARED, ("value", "portal_date")),
    Scenario("a solution is added", _SHARED, ("add_solution",)),
    Scenario("a solution is removed", (*_SHARED, "add_solution"), ("remove_solution",)),
    Scenario("an inbound deal arrives", (), ("invite",)),
    Scenario("a seller accepts", ("invite",), ("accept",)),
    Scenario("a seller declines", ("invite",), ("decline",)),
    Scenario("a seller wins", _SHARED, ("win",)),
    Scenario("a lead is accepted in the portal", ("invite_lead",), ("portal_accept",)),
    Scenario("Microsoft accepts", ("co_sell_deal",), ("microsoft_accepts",)),
    Scenario("a sweep finds what was missed", (*_SHARED, "rest", *_MISSED), ("sweep",), by_sweep=True),
)
"""Played with every test run."""
MORE = (
    Scenario("an incomplete deal is corrected", ("deal_without_country",), ("correct_account",)),
    Scenario("sync is switched on", ("unsynced_deal",), ("sync_on",)),
    Scenario("a seller changes everything", _SHARED, ("value", "close_date", "notes", "stage", "campaign")),
    Scenario("the portal changes everything", _SHARED, ("portal_value", "portal_date", "portal_notes", "portal_stage")),
    Scenario("both sides change the same fields", _SHARED, ("value", "portal_value", "notes", "portal_notes")),
    Scenario("the portal replaces the solutions", _SHARED, ("portal_solutions",), by_sweep=True),
    Scenario("a deal made in the portal arrives", (), ("portal_deal",)),
    Scenario(
        "a deal of the portal names an opportunity", ("unsynced_deal",), ("portal_deal_for_opportunity", "sync_on")
    ),
    Scenario("a seller edits and accepts", ("invite",), ("value", "pause", "accept")),
    Scenario("the portal accepts", ("invite",), ("portal_accept",)),
    Scenario("an inbound deal expires", ("invite",), ("expire",)),
    Scenario("a reminder is given", ("invite", "rest", "a_week"), ("remind",), by_sweep=True),
    Scenario("a seller loses an inbound deal", ("invite", "rest", "accept"), ("lose",)),
    Scenario("a seller wins and thinks again", _SHARED, ("win", "pause", "reopen")),
    Scenario("the portal wins", _SHARED, ("portal_value", "portal_win")),
    Scenario("a shared deal is deleted", _SHARED, ("delete",), policies={"decline_deleted": True}),
    Scenario("a lead arrives", (), ("invite_lead",)),
    Scenario("a lead is qualified in the CRM", ("invite_lead",), ("qualify_lead",)),
    Scenario("a lead is disqualified", ("invite_lead",), ("disqualify_lead",)),
    Scenario("Microsoft declines", ("co_sell_deal",), ("microsoft_declines",)),
    Scenario("Microsoft closes", _SHARED, ("microsoft_closes",)),
    Scenario(
        "a sweep finds a deal that was missed",
        ("no_events", "invite", "co_sell_deal", "events_again"),
        ("sweep",),
        by_sweep=True,
    ),
)
"""Played besides by the command."""
SCENARIOS = (*ALWAYS, *MORE)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
