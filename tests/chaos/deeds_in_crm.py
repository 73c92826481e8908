"""What sellers do in Dynamics 365. Values carry the step's number, so that no two edits ever write the same one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from shared.domain.opportunity import SOLUTION_TABLE
from shared.ports import Lookup
from tests.chaos import canaries
from tests.fakes.clock import VirtualClock
from tests.fakes.dataverse import FakeDataverse
from tests.fakes.dataverse_rows import Stored
from tests.fakes.partner_center import FakePartnerCenter

if TYPE_CHECKING:
    from tests.chaos.people import Step

VISIBLE, NOT_VISIBLE = 100000001, 100000000
HELP = 100000003
_ON_HOLD, _ACTIVE = 2, 1
_SYNC = "cosell_syncwithpartnercenter"
_COUNTRIES = ("NO", "DE", "US", "GB")


def solution(number: int) -> str:
    """A co-sell ready solution's id."""
    return f"SOL-{10_000 + number}-ABC"


def from_here[T](everyone: list[T], step: Step) -> Iterator[T]:
    """All of them, beginning somewhere: every other step begins among the ten newest, so that deeds meet."""
    count = len(everyone)
    first = count - 1 - step.whom // 2 % min(count, 10) if count and step.whom % 2 else step.whom
    return (everyone[(first + place) % count] for place in range(count))


class CrmDeeds:
    """One seller."""

    def __init__(self, dataverse: FakeDataverse, center: FakePartnerCenter, clock: VirtualClock) -> None:
        self.crm, self.center, self.clock = dataverse.as_user(), center, clock
        self.opportunities: list[str] = []
        """Opportunities this seller made, in order."""
        self.known: set[str] = set()
        self.reopened: set[str] = set()

    # whom -----------------------------------------------------------------------------------------------------------
    def _row(self, opportunity_id: str) -> Stored | None:
        return self.crm.rows.get("opportunity", opportunity_id)

    def _all(self) -> list[str]:
        """All opportunities, the connector's included, in the order they were first seen here."""
        for row_id in sorted(self.crm.rows.all("opportunity").keys() - self.known):
            self.known.add(row_id)
            self.opportunities.append(row_id)
        return self.opportunities

    def _pick(self, step: Step, *, state: int = 0, reason: int | None = None, synced: bool = True) -> Stored | None:
        """An opportunity in this state; the one `step` names, or the next that fits."""
        for opportunity_id in from_here(self._all(), step):
            row = self._row(opportunity_id)
            if row is None or row["statecode"] != state or bool(row.get(_SYNC)) != synced:
                continue
            if reason is None or row["statuscode"] == reason:
                return row
        return None

    def _update(self, row: Stored | None, **values: object) -> bool:
        if row is None:
            return False
        self.crm.update("opportunity", row["opportunityid"], values, None)
        return True

    # deeds ----------------------------------------------------------------------------------------------------------
    def new_deal(self, step: Step) -> bool:
        """A deal of one of the three kinds; some lack a solution or a country at first, some are not to be synced."""
        chance = random.Random(f"deal {step.number}")
        account = self._account(step, country=chance.choice(_COUNTRIES) if chance.random() < 0.9 else "Norge")
        contact = self._contact(step, account)
        kind = chance.choice(("private", "partner_led", "co_sell", "co_sell"))
        values: dict[str, object] = {
            "name": f"Deal {step.number}",
            "estimatedvalue": self.amount(step),
            "estimatedclosedate": self.day(step),
            "description": self.text(step),
            "parentaccountid": account,
            "parentcontactid": contact,
            "cosell_referralvisibility": NOT_VISIBLE if kind == "private" else VISIBLE,
            _SYNC: chance.random() < 0.9,
        }
        if kind == "co_sell":
            values["cosell_howcanmicrosofthelp"] = HELP
        opportunity_id = self.crm.create("opportunity", values)
        if chance.random() < 0.8:
            self._add_solution(opportunity_id, step.number)
        return True

    def _account(self, step: Step, country: str) -> Lookup:
        values = {
            "name": f"Customer {step.number}",
            "address1_line1": "Havnegata 12",
            "address1_city": "Bergen",
            "address1_postalcode": f"{step.number:05}",
            "address1_country": country,
        }
        return Lookup("account", self.crm.create("account", values))

    def _contact(self, step: Step, account: Lookup) -> Lookup:
        values = {
            "firstname": "Ingrid",
            "lastname": "Solberg",
            "emailaddress1": f"{canaries.MAILBOX}.{step.number}@customer.example",
            "telephone1": canaries.PHONE,
            "parentcustomerid": account,
        }
        return Lookup("contact", self.crm.create("contact", values))

    def _add_solution(self, opportunity_id: str, number: int) -> None:
        values = {
            "cosell_name": f"Solution {number}",
            "cosell_solutionid": solution(number),
            "cosell_opportunityid": Lookup("opportunity", opportunity_id),
        }
        self.crm.create(SOLUTION_TABLE, values)

    def value(self, step: Step) -> bool:
        return self._update(self._pick(step), estimatedvalue=self.amount(step))

    def close_date(self, step: Step) -> bool:
        return self._update(self._pick(step), estimatedclosedate=self.day(step))

    def notes(self, step: Step) -> bool:
        return self._update(self._pick(step), description=self.text(step))

    def stage(self, step: Step) -> bool:
        return self._update(self._pick(step), salesstage=step.whom % 4)

    def rename(self, step: Step) -> bool:
        return self._update(self._pick(step), name=f"Deal renamed {step.number}")

    def campaign(self, step: Step) -> bool:
        return self._update(self._pick(step), cosell_campaigncode=f"CAMPAIGN-{step.number}")

    def add_solution(self, step: Step) -> bool:
        row = self._pick(step)
        if row is None:
            return False
        self._add_solution(row["opportunityid"], step.number)
        return True

    def remove_solution(self, step: Step) -> bool:
        """Never the last one."""
        row = self._pick(step)
        rows = sorted(self.crm.rows.equal(SOLUTION_TABLE, "cosell_opportunityid", row["opportunityid"])) if row else []
        if len(rows) < 2:
            return False
        self.crm.delete(SOLUTION_TABLE, rows[step.whom % len(rows)])
        return True

    def ask_for_help(self, step: Step) -> bool:
        row = self._pick(step)
        if row is None or row.get("cosell_howcanmicrosofthelp") is not None:
            return False
        return self._update(row, cosell_howcanmicrosofthelp=HELP)

    def make_visible(self, step: Step) -> bool:
        row = self._pick(step)
        return self._update(row, cosell_referralvisibility=VISIBLE)

    def sync_off(self, step: Step) -> bool:
        return self._update(self._pick(step), **{_SYNC: False})

    def sync_on(self, step: Step) -> bool:
        return self._update(self._pick(step, synced=False), **{_SYNC: True})

    def correct_account(self, step: Step) -> bool:
        """A country that cannot be used is corrected."""
        wrong = sorted(self.crm.rows.equal("account", "address1_country", "Norge"))
        if not wrong:
            return False
        self.crm.update("account", wrong[step.whom % len(wrong)], {"address1_country": "NO"}, None)
        return True

    def accept(self, step: Step) -> bool:
        return self._update(self._pick(step, reason=_ON_HOLD), statuscode=_ACTIVE)

    def decline(self, step: Step) -> bool:
        return self._close(self._pick(step, reason=_ON_HOLD), won=False)

    def win(self, step: Step) -> bool:
        return self._close(self._pick(step, reason=_ACTIVE), won=True)

    def lose(self, step: Step) -> bool:
        return self._close(self._pick(step, reason=_ACTIVE), won=False)

    def _close(self, row: Stored | None, *, won: bool) -> bool:
        if row is None:
            return False
        self.crm.close_opportunity(
            row["opportunityid"], won=won, status=3 if won else 4, activity={"subject": "Closed by the seller"}
        )
        return True

    def reopen(self, step: Step) -> bool:
        row = self._pick(step, state=1 + step.whom % 2)
        if row is None:
            return False
        self.reopened.add(row["opportunityid"])
        return self._update(row, statecode=0)

    def delete(self, step: Step) -> bool:
        row = self._pick(step)
        if row is None:
            return False
        self.crm.delete("opportunity", row["opportunityid"])
        return True

    def _lead(self, step: Step) -> Stored | None:
        leads = sorted(self.crm.rows.equal("lead", "statecode", 0))
        return self.crm.rows.get("lead", leads[step.whom % len(leads)]) if leads else None

    def qualify_lead(self, step: Step) -> bool:
        lead = self._lead(step)
        if lead is None:
            return False
        self.crm.qualify_lead(lead["leadid"], currency=lead.get("transactioncurrencyid"), customer=None)
        return True

    def disqualify_lead(self, step: Step) -> bool:
        lead = self._lead(step)
        if lead is None:
            return False
        self.crm.update("lead", lead["leadid"], {"statecode": 2, "statuscode": 7}, None)
        return True

    # values ---------------------------------------------------------------------------------------------------------
    @staticmethod
    def amount(step: Step) -> Decimal:
        return Decimal(10_000 + step.number) + Decimal("0.11")

    @staticmethod
    def day(step: Step) -> date:
        return date(2027, 1, 1) + timedelta(days=2 * step.number)

    @staticmethod
    def text(step: Step) -> str:
        return f"seller's text {step.number} {canaries.NOTE}"
