"""A world on fakes that lets two closings an hour pass, for the tests of the brake. Not a test itself."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from admin import closings
from admin.closings import Held
from shared.domain.referral import Referral
from shared.handlers import dynamics_365_opportunity_to_partner_center as flow_6
from shared.handlers import dynamics_365_to_partner_center as flow_5
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.handlers.brake import State
from shared.messages import Hint, Queue, parse
from shared.row_event import RowEvent
from shared.row_event import parse as parse_event
from tests.bad_input.pair import Bench as Pair
from tests.contract.deals import deal
from tests.fakes.dataverse import SELLER
from tests.handlers.test_attention import Told

MOST = 2
OPEN, LOST = 0, 2
PENDING, CLOSED = 100000001, 100000005


@dataclass(frozen=True)
class Brakes:
    """A world that lets two closings an hour pass."""

    pair: Pair
    told: Told

    # -- deals -------------------------------------------------------------------------------------------------------
    def accepted(self) -> str:
        """A deal both sides work on; its referral id."""
        referral = self.pair.partner_center.invite(deal(externalReferenceId=None))
        self.flow_4(referral.id)
        self.edit(referral.id, statuscode=1)
        assert self.flow_5(referral.id) == "updated"
        assert self.referral(referral.id).status == "Active"
        return str(referral.id)

    def lead(self) -> str:
        """A lead nobody has answered; its referral id."""
        referral = self.pair.partner_center.invite(deal(externalReferenceId=None), lead=True)
        assert self.flow_4(referral.id) == "lead created"
        return str(referral.id)

    def referral(self, referral_id: str) -> Referral:
        return self.pair.partner_center.get(referral_id)

    def row(self, referral_id: str, table: str = "opportunity") -> tuple[str, dict[str, object]]:
        rows = self.pair.dataverse.rows.all(table).items()
        return next((key, dict(row)) for key, row in rows if row.get("cosell_referralidentifier") == referral_id)

    # -- people ------------------------------------------------------------------------------------------------------
    def edit(self, referral_id: str, **values: object) -> None:
        self.pair.dataverse.as_user(SELLER).update("opportunity", self.row(referral_id)[0], values, None)

    def win(self, referral_id: str) -> None:
        seller = self.pair.dataverse.as_user(SELLER)
        seller.close_opportunity(self.row(referral_id)[0], won=True, status=3, activity={"subject": "Won"})

    def win_and_look(self, referral_id: str) -> str:
        self.pair.clock.advance(1)  # rows of one second have no order
        self.win(referral_id)
        return self.flow_5(referral_id)

    def lose_in_portal(self, referral_id: str) -> str:
        self.pair.partner_center.edit_in_portal(referral_id, status="Closed", substatus="Lost")
        return self.flow_4(referral_id)

    # -- the connector -----------------------------------------------------------------------------------------------
    def flow_4(self, referral_id: str) -> str:
        return flow_4.handle(Hint(subject="referral", id=uuid.UUID(referral_id), reason="test"), self.pair.connections)

    def flow_5(self, referral_id: str) -> str:
        row_id = uuid.UUID(self.row(referral_id)[0])
        return flow_5.handle(Hint(subject="opportunity", id=row_id, reason="test"), self.pair.connections)

    def flow_6(self, event: RowEvent) -> str:
        return flow_6.handle(event, self.pair.connections)

    def held(self) -> list[Held]:
        return closings.held(self.pair.dataverse)

    def decide(self, state: State, chosen: list[Held] | None = None) -> None:
        """The operator decides about these, else all; what that sends is then worked off."""
        chosen = self.held() if chosen is None else chosen
        closings.decide(self.pair.dataverse, self.pair.queues, chosen, state, self.pair.clock())
        self.pair.clock.advance(15)
        for queue, handle in (
            (Queue.PARTNER_CENTER_EVENTS, flow_4.handle),
            (Queue.DYNAMICS_365_TO_PARTNER_CENTER, flow_5.handle),
        ):
            while message := self.pair.queues.receive(queue):
                handle(parse(message.body), self.pair.connections)
        while message := self.pair.queues.receive(Queue.DYNAMICS_365_OPPORTUNITIES):
            self.flow_6(parse_event(message.body))

    def alerts(self) -> int:
        return sum(title == "Co-sell closings are paused" for title, _, _ in self.told.cards)
