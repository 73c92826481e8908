"""A change that waits for Partner Center: the seller reads so once per outage, and it costs the change nothing."""

from __future__ import annotations

import ast
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared import delivery
from shared.connections import Connections
from shared.domain.row import Lookup
from shared.domain.state import parse
from shared.errors import Unavailable
from shared.handlers import create_cosell_referral_dynamics_365_to_partner_center as flow_2
from shared.handlers import delays
from shared.handlers import dynamics_365_to_partner_center as flow_5
from shared.handlers import partner_center_to_dynamics_365 as flow_4
from shared.messages import Hint, Queue
from shared.messages import parse as parse_hint
from tests.bad_input.pair import Bench, bench
from tests.contract.deals import deal

FLOW_5, FLOW_2 = Queue.DYNAMICS_365_TO_PARTNER_CENTER, Queue.CREATE_COSELL_REFERRAL
HANDLERS = {FLOW_5: flow_5.handle, FLOW_2: flow_2.handle}
COLUMNS = ("name", "cosell_audit", "cosell_syncstate", "cosell_syncstatus", "cosell_lastsyncedon", "modifiedon")


@dataclass
class Down:
    """A port that answers nothing while it is down."""

    inner: Any
    down: bool = False

    def __getattr__(self, name: str) -> Any:
        if self.down:
            raise Unavailable("PC_UNAVAILABLE", "It does not answer.")
        return getattr(self.inner, name)


class Office:
    """One shared deal, the queues, and two systems that can be switched off."""

    def __init__(self, **settings: object) -> None:
        self.made: Bench = bench(**settings)
        self.partner_center = Down(self.made.partner_center)
        self.dataverse = Down(self.made.dataverse)
        self.connections: Connections = replace(
            self.made.connections, partner_center=self.partner_center, dataverse=self.dataverse
        )
        referral = self.made.partner_center.create(deal(externalReferenceId=None))
        self.referral_id = referral.id
        flow_4.handle(Hint(subject="referral", id=uuid.UUID(referral.id), reason="created"), self.connections)
        ((self.opportunity_id, _),) = self.made.dataverse.rows.all("opportunity").items()

    def row(self) -> Mapping[str, Any]:
        return self.made.dataverse.as_user().get("opportunity", self.opportunity_id, COLUMNS).values

    def lines(self) -> list[str]:
        return str(self.row()["cosell_audit"]).splitlines()

    def edit(self, **values: Any) -> Hint:
        self.made.dataverse.as_user().update("opportunity", self.opportunity_id, values, None)
        return Hint(subject="opportunity", id=uuid.UUID(self.opportunity_id), reason="crm-change")

    def deliver(self, queue: Queue, body: str) -> None:
        self.made.delivery.run(
            queue, body.encode(), parse_hint, lambda hint: HANDLERS[queue](hint, self.connections),
            lambda hint, since: delays.tell(hint, since, self.connections),
        )  # fmt: skip

    def next(self) -> bool:
        """The next message that is due is delivered."""
        due = self.made.queues.next_due_at()
        if due is None:
            return False
        self.made.clock.set(max(due, self.made.clock()))
        for queue in HANDLERS:
            if message := self.made.queues.receive(queue):
                self.deliver(queue, message.body)
                return True
        return False


def test_after_half_an_hour_the_seller_reads_once_that_a_change_waits() -> None:
    office = Office()
    before = office.row()
    office.partner_center.down = True
    start = office.made.clock()
    office.deliver(FLOW_5, office.edit(estimatedvalue=Decimal(70000)).to_json())
    while (office.made.clock() - start) < timedelta(minutes=30):
        assert len(office.lines()) == 1
        assert office.next()
    for _ in range(2):
        line, _ = office.lines()
        assert line.split(" | ")[1:5] == [
            "CRM>PC", "DELAY", "OK",
            f"SYNC_DELAYED: what was changed here has not reached Partner Center since {start:%Y-%m-%d %H:%M} UTC; "
            "it is tried again by itself",
        ]  # fmt: skip
        assert f"ref {office.referral_id[:8]}" in line
        assert office.next()
    row = office.row()
    for column in ("name", "cosell_syncstatus", "cosell_lastsyncedon"):
        assert row[column] == before[column]
    office.partner_center.down = False
    assert office.next()
    assert "deal_value" in office.lines()[0]
    assert len(office.lines()) == 3
    assert office.made.partner_center.get(office.referral_id).details.deal_value == 70000
    assert parse(office.row()["cosell_syncstate"]).delay is None


def late(office: Office, hint: Hint, since: datetime | None = None) -> None:
    delays.tell(hint, since or office.made.clock() - timedelta(hours=1), office.connections)


def test_the_next_outage_is_told_again() -> None:
    office = Office()
    for value in (70000, 80000):
        hint = office.edit(estimatedvalue=Decimal(value))
        late(office, hint)
        late(office, hint)
        flow_5.handle(hint, office.connections)
    assert [line.split(" | ")[2] for line in office.lines()] == ["UPDATE", "DELAY", "UPDATE", "DELAY", "CREATE"]


def test_a_deal_that_is_still_to_be_shared_waits_too() -> None:
    office = Office(SOLUTION_GRACE_SECONDS="0")
    seller = office.made.dataverse.as_user()
    source = office.made.dataverse.rows.all("opportunity")[office.opportunity_id]
    shared = ("parentaccountid", "customerid", "estimatedvalue", "estimatedclosedate", "transactioncurrencyid")
    values = {name: source[name] for name in shared}
    owner = seller.find("systemuser", [], ("fullname",), limit=1)[0]
    values |= {"name": "Another", "cosell_syncwithpartnercenter": True, "ownerid": Lookup("systemuser", owner.id)}
    values["cosell_products"] = "SOL-70412-KQX"
    office.opportunity_id = seller.create("opportunity", values)
    hint = Hint(subject="opportunity", id=uuid.UUID(office.opportunity_id), reason="crm-change")
    late(office, hint)
    (line,) = office.lines()
    assert "SYNC_DELAYED" in line
    assert " | ref " not in line
    assert flow_2.handle(hint, office.connections) == "created"
    assert parse(office.row()["cosell_syncstate"]).delay is None


@pytest.mark.parametrize("case", ["nothing changed", "sync off", "gone"])
def test_nobody_is_told_of_nothing(case: str) -> None:
    office = Office()
    changes = {"nothing changed": {"cosell_closereason": None}, "sync off": {"estimatedvalue": Decimal(1)}, "gone": {}}
    hint = office.edit(**changes[case], **({"cosell_syncwithpartnercenter": False} if case == "sync off" else {}))
    if case == "gone":
        hint = hint.model_copy(update={"id": uuid.uuid4()})
    late(office, hint)
    assert len(office.lines()) == 1


def test_the_time_is_told_in_utc_and_the_sentence_in_the_sellers_language() -> None:
    office = Office(SELLER_LANGUAGE="de")
    since = datetime(2026, 3, 1, 14, 5, tzinfo=timezone(timedelta(hours=2)))
    late(office, office.edit(estimatedvalue=Decimal(70000)), since)
    assert "hat Partner Center seit 2026-03-01 12:05 UTC nicht erreicht" in office.lines()[0]


def test_an_answer_that_refuses_ends_the_outage_as_well() -> None:
    office = Office()
    hint = office.edit(estimatedvalue=Decimal(70000))
    late(office, hint)
    office.made.partner_center.edit_in_portal(office.referral_id, status="Closed", substatus="Lost")
    flow_4.handle(Hint(subject="referral", id=uuid.UUID(office.referral_id), reason="x"), office.connections)
    office.edit(estimatedvalue=Decimal(90000))
    flow_5.handle(hint, office.connections)
    assert "DEAL_TERMINAL" in office.lines()[0]
    assert parse(office.row()["cosell_syncstate"]).delay is None


def test_when_dynamics_365_is_down_as_well_the_change_waits_like_any_other_and_is_told_of_later() -> None:
    office = Office()
    hint = office.edit(estimatedvalue=Decimal(70000))
    office.partner_center.down = office.dataverse.down = True
    office.deliver(FLOW_5, hint.to_json())
    waits = []
    for _ in range(5):
        due, now = office.made.queues.next_due_at(), office.made.clock()
        assert due is not None
        waits.append((due - now).total_seconds())
        assert office.next()
    assert waits == list(delivery.LADDER_S[:5]), "no rung more or less"
    assert len(office.lines()) == 1
    office.dataverse.down = False
    assert office.next()
    assert "SYNC_DELAYED" in office.lines()[0]


def test_telling_makes_no_older_change_the_newer_one() -> None:
    """Both sides changed during the outage; the later change counts, not our line about the delay."""
    office = Office()
    hint = office.edit(estimatedvalue=Decimal(70000))
    office.made.clock.advance(600)
    office.made.partner_center.edit_in_portal(office.referral_id, details__dealValue=90000)
    office.made.clock.advance(1800)
    late(office, hint)
    flow_5.handle(hint, office.connections)
    flow_4.handle(Hint(subject="referral", id=uuid.UUID(office.referral_id), reason="x"), office.connections)
    seller = office.made.dataverse.as_user()
    value = seller.get("opportunity", office.opportunity_id, ("estimatedvalue",)).values["estimatedvalue"]
    assert value == 90000 == office.made.partner_center.get(office.referral_id).details.deal_value


def test_the_function_app_tells_of_what_waits_for_partner_center() -> None:
    source = Path(delivery.__file__).parents[1] / "function_app.py"
    calls = [node for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    runs = [call for call in calls if getattr(call.func, "attr", "") == "run"]
    assert len(runs) == 6
    told = {ast.unparse(call.args[0]): ast.unparse(call.args[4]) for call in runs if len(call.args) > 4}
    assert told == dict.fromkeys((f"Queue.{FLOW_5.name}", f"Queue.{FLOW_2.name}"), "delays.tell")
