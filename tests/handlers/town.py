"""A town of deals: a system in memory with a pair of each kind, in step and at rest, for what looks at all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from shared.domain.row import Lookup
from shared.handlers import sweep
from shared.handlers.sweep import Sum
from shared.messages import Queue
from tests.chaos.world import World
from tests.contract.deals import deal

HELP, VISIBLE, NOT_VISIBLE = 100000003, 100000001, 100000000
TO_CRM, TO_PC = Queue.PARTNER_CENTER_EVENTS, Queue.DYNAMICS_365_TO_PARTNER_CENTER


@dataclass
class Town:
    """A system with a pair of each kind, in step and at rest."""

    world: World

    def __post_init__(self) -> None:
        self.crm, self.center = self.world.dataverse.as_user(), self.world.center
        self.private = self.share(visibility=NOT_VISIBLE)
        self.shared = self.share()
        self.co_sell = self.share(help_option=HELP)
        self.blocked = self.share(country="Norge")
        self.won = self.share()
        self.inbound = self.center.invite(deal(externalReferenceId=None)).id
        self.lead = self.center.invite(deal(externalReferenceId=None), lead=True).id
        self.rest()
        self.crm.close_opportunity(self.won, won=True, status=3, activity={"subject": "Won"})
        self.rest()
        assert self.referral_id(self.co_sell)
        assert not self.referral_id(self.blocked)

    def share(self, *, country: str = "NO", visibility: int = VISIBLE, help_option: int | None = None) -> str:
        """A new opportunity of the seller's, complete unless its country is not."""
        address = {"address1_line1": "Havnegata 12", "address1_city": "Bergen", "address1_country": country}
        account = Lookup("account", self.crm.create("account", {"name": "Northgate Foods AS", **address}))
        person = {"firstname": "Ingrid", "lastname": "Solberg", "emailaddress1": "i@northgate.example"}
        contact = self.crm.create("contact", {**person, "telephone1": "+47 55 01 02 03", "parentcustomerid": account})
        values: dict[str, Any] = {
            "name": "Cold chain",
            "estimatedvalue": Decimal(50000),
            "estimatedclosedate": self.world.clock().date() + timedelta(days=90),
            "parentaccountid": account,
            "parentcontactid": Lookup("contact", contact),
            "cosell_referralvisibility": visibility,
            "cosell_howcanmicrosofthelp": help_option,
            "cosell_syncwithpartnercenter": True,
        }
        row_id = self.crm.create("opportunity", {name: value for name, value in values.items() if value is not None})
        self.add_solution(row_id, "SOL-70412-KQX")
        return row_id

    def add_solution(self, row_id: str, key: str) -> None:
        parent = Lookup("opportunity", row_id)
        self.crm.create("cosell_microsoftsolution", {"cosell_solutionid": key, "cosell_opportunityid": parent})

    def edit(self, row_id: str, **values: Any) -> None:
        self.crm.update("opportunity", row_id, values, None)

    def row(self, row_id: str) -> dict[str, Any]:
        return self.world.dataverse.rows.all("opportunity")[row_id]

    def referral_id(self, row_id: str) -> str:
        return str(self.row(row_id).get("cosell_referralidentifier") or "")

    def engagement(self, row_id: str) -> str:
        return str(self.row(row_id)["cosell_engagementidentifier"])

    def opportunity_of(self, referral_id: str) -> str:
        rows = self.world.dataverse.rows.equal("opportunity", "cosell_referralidentifier", referral_id)
        return next(iter(rows))

    def lead_row(self) -> str:
        return next(iter(self.world.dataverse.rows.all("lead")))

    def rest(self) -> None:
        self.world.drain()
        self.world.clock.advance(1200)
        self.world.drain()

    def unheard(self, deed: Callable[[], object]) -> None:
        """Do something of which no event tells."""
        self.world.feeds.deaf = True
        deed()
        self.world.feeds.deaf = False
        self.world.clock.advance(1200)

    def sweep(self, **options: Any) -> tuple[Sum, list[tuple[str, str]]]:
        """What it found, and its hints as queue and id."""
        sent: list[tuple[str, str]] = []
        found = sweep.handle(self.world.connections, timedelta(days=3650), **options)
        for queue in (TO_CRM, TO_PC, Queue.MICROSOFT_REFERRAL_UPDATES, Queue.CREATE_COSELL_REFERRAL):
            sent += [(queue, hint.row_id) for hint in self.world.queues.hints(queue)]
        return found, sent

    def writes(self) -> int:
        return len(self.world.journal.writes)
