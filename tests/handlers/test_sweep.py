"""The sweep on a whole system in memory: what no event told gets one hint for the right pair, what is in step none."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.connections import Connections
from shared.domain.referral import Referral
from shared.domain.state import COLUMN, Reservation, parse
from shared.handlers import reminders, sweep
from shared.handlers.sweep import Compared
from shared.messages import Queue
from shared.ports import PartnerCenter
from tests.contract.deals import deal, invitation
from tests.handlers.town import HELP, TO_CRM, TO_PC, Town

OPEN, ON_HOLD, ACTIVE, DISQUALIFIED = 0, 2, 1, 2


NIGHT = pytest.mark.parametrize("night", [False, True], ids=["window", "night"])


@NIGHT
def test_a_healthy_system_gets_no_hint_and_no_write(town: Town, night: bool) -> None:
    town.rest()
    before = town.writes()
    found, hints = town.sweep(all_open_deals=night)
    assert hints == []
    assert (found.differing, found.hinted, found.compared) == (0, 0, 7)
    town.rest()
    assert town.writes() == before


def _reserved(town: Town) -> None:
    """Flow 2 died while it created Microsoft's part."""
    row = town.row(town.shared)
    state = parse(row[COLUMN]).but(reservation=Reservation(at=town.world.clock(), run="gone"))
    town.edit(town.shared, **{COLUMN: state.to_json(), "cosell_howcanmicrosofthelp": HELP})


def _linking(town: Town) -> None:
    """Flow 4 died after it had made the opportunity."""
    row_id = town.opportunity_of(town.inbound)
    town.edit(row_id, **{COLUMN: parse(town.row(row_id)[COLUMN]).but(linking=True).to_json()})


def _account(town: Town, **values: Any) -> None:
    town.crm.update("account", town.row(town.blocked)["parentaccountid"].id, values, None)


MISSED: dict[str, tuple[Callable[[Town], object], Queue, Callable[[Town], str]]] = {
    "the value, in Partner Center": (
        lambda town: town.center.edit_in_portal(town.referral_id(town.shared), details__dealValue=65000),
        TO_CRM,
        lambda town: town.referral_id(town.shared),
    ),
    "the value, in the CRM": (
        lambda town: town.edit(town.private, estimatedvalue=Decimal(65000)),
        TO_PC,
        lambda town: town.private,
    ),
    "a solution, in the CRM": (
        lambda town: town.add_solution(town.shared, "SOL-20002-ABC"),
        TO_PC,
        lambda town: town.shared,
    ),
    "a deal made in the portal": (
        lambda town: town.center.create(deal(externalReferenceId=None)),
        TO_CRM,
        lambda town: list(town.center.documents)[-1],
    ),
    "a lead": (
        lambda town: town.center.invite(deal(externalReferenceId=None), lead=True),
        TO_CRM,
        lambda town: list(town.center.documents)[-1],
    ),
    "a deal made in the CRM": (
        lambda town: town.share(),
        TO_PC,
        lambda town: max(town.world.dataverse.rows.all("opportunity").values(), key=lambda row: row["createdon"])[
            "opportunityid"
        ],
    ),
    "a blocked deal's account": (
        lambda town: _account(town, address1_country="NO"),
        TO_PC,
        lambda town: town.blocked,
    ),
    "a blocked deal's account, still not right": (
        lambda town: _account(town, address1_country="Noreg"),
        TO_PC,
        lambda town: town.blocked,
    ),
    "help asked for later": (
        lambda town: town.edit(town.private, cosell_howcanmicrosofthelp=HELP),
        TO_PC,
        lambda town: town.private,
    ),
    "Microsoft accepts": (
        lambda town: town.center.microsoft(town.engagement(town.co_sell), "Accepted", msx_id="7-ABC"),
        TO_CRM,
        lambda town: town.referral_id(town.co_sell),
    ),
    "Microsoft declines": (
        lambda town: town.center.microsoft(town.engagement(town.co_sell), "Declined"),
        TO_CRM,
        lambda town: town.referral_id(town.co_sell),
    ),
    "Microsoft invited in the portal": (
        lambda town: town.center.create(invitation(town.engagement(town.shared))),
        Queue.MICROSOFT_REFERRAL_UPDATES,
        lambda town: list(town.center.documents)[-1],
    ),
    "accepted by the seller": (
        lambda town: town.edit(town.opportunity_of(town.inbound), statuscode=ACTIVE),
        TO_PC,
        lambda town: town.opportunity_of(town.inbound),
    ),
    "declined in the portal": (
        lambda town: town.center.edit_in_portal(town.inbound, status="Closed", substatus="Declined"),
        TO_CRM,
        lambda town: town.inbound,
    ),
    "lost in the CRM": (
        lambda town: town.crm.close_opportunity(town.shared, won=False, status=4, activity={"subject": "Lost"}),
        TO_PC,
        lambda town: town.shared,
    ),
    "a lead turned down": (
        lambda town: town.crm.update("lead", town.lead_row(), {"statecode": DISQUALIFIED, "statuscode": 7}, None),
        TO_CRM,
        lambda town: town.lead,
    ),
    "a creation that died": (_reserved, TO_PC, lambda town: town.shared),
    "a link that is half made": (_linking, TO_CRM, lambda town: town.inbound),
}
"""What was missed → the deed, the queue of the hint, and whose id it carries."""
AT_NIGHT = (
    "the value, in the CRM",
    "a deal made in the CRM",
    "Microsoft declines",
    "lost in the CRM",
    "a lead turned down",
)


@pytest.mark.parametrize(("missed", "night"), [*((missed, False) for missed in MISSED), *((m, True) for m in AT_NIGHT)])
def test_what_was_missed_gets_one_hint_and_is_healed_by_it(town: Town, missed: str, night: bool) -> None:
    deed, queue, pair = MISSED[missed]
    town.unheard(lambda: deed(town))
    found, hints = town.sweep(all_open_deals=night)
    assert hints == [(queue, pair(town))]
    assert (found.differing, found.hinted) == (1, 1)

    town.rest()
    again, hints = town.sweep(all_open_deals=night)
    assert (again.differing, hints) == (0, [])
    assert town.world.parked == []


def listing(town: Town, *referrals: Referral) -> Connections:
    """A Partner Center whose list holds these."""
    real = town.world.connections
    center = SimpleNamespace(**{**vars(real.partner_center), "updated_since": lambda moment: iter(referrals)})
    return replace(real, partner_center=cast(PartnerCenter, center))


def test_a_list_may_hold_microsofts_records_too(town: Town) -> None:
    own = town.referral_id(town.co_sell)
    (theirs,) = (one for one in town.center.engagement(town.engagement(town.co_sell)) if one.is_microsofts)
    found: list[Compared] = []
    sweep.handle(listing(town, theirs), timedelta(minutes=1), each=found.append)
    assert [(one.referral_id, one.opportunity_id, one.work) for one in found] == [(own, town.co_sell, ())]

    town.unheard(lambda: town.center.microsoft(town.engagement(town.co_sell), "Declined"))
    sweep.handle(listing(town, town.center.get(theirs.id), town.center.get(own)), timedelta(minutes=1))
    assert [hint.row_id for hint in town.world.queues.hints(TO_CRM)] == [own]


def test_another_partners_record_is_told_of_once(town: Town) -> None:
    ours = town.center.get(town.referral_id(town.shared))
    theirs = ours.model_copy(update={"id": str(uuid.uuid4()), "organization_id": str(uuid.uuid4())})
    sweep.handle(listing(town, theirs), timedelta(minutes=1))
    (hint,) = town.world.queues.hints(TO_CRM)
    assert hint.row_id == theirs.id
    text = (
        f"| PC>CRM | PARTNER | OK | another partner is {theirs.status}/{theirs.substatus} | run x | ref {theirs.id[:8]}"
    )
    town.edit(town.shared, cosell_audit=f"2026-03-02T09:00:00Z {text}")
    assert sweep.handle(listing(town, theirs), timedelta(minutes=1)).differing == 0


def test_both_sides_changed_get_a_hint_each(town: Town) -> None:
    def both() -> None:
        town.center.edit_in_portal(town.referral_id(town.shared), details__dealValue=65000)
        town.edit(town.shared, description="Two warehouses.")

    town.unheard(both)
    found, hints = town.sweep()
    assert hints == [(TO_CRM, town.referral_id(town.shared)), (TO_PC, town.shared)]
    assert (found.differing, found.hinted) == (1, 2)
    town.rest()
    assert town.row(town.shared)["estimatedvalue"] == Decimal(65000)
    assert town.center.get(town.referral_id(town.shared)).details.notes == "Two warehouses."


@pytest.mark.parametrize(
    "deed",
    [
        lambda town: town.edit(town.shared, cosell_syncwithpartnercenter=False, estimatedvalue=Decimal(1)),
        lambda town: town.crm.delete("opportunity", town.shared),
        lambda town: town.edit(town.shared, budgetamount=Decimal(7)),
    ],
    ids=["switched off", "deleted", "a column that is not mapped"],
)
def test_what_is_nobodys_business_gets_no_hint(town: Town, deed: Callable[[Town], object]) -> None:
    town.unheard(lambda: deed(town))
    for night in (False, True):
        assert town.sweep(all_open_deals=night)[1] == []


def test_a_deal_reopened_here_although_closed_there_stays_as_it_is(town: Town) -> None:
    town.edit(town.won, statecode=OPEN, statuscode=ACTIVE)
    town.rest()
    found, hints = town.sweep(all_open_deals=True)
    assert hints == []
    assert found.compared == 7


def test_an_edit_of_a_deal_that_awaits_its_answer_is_kept_back(town: Town) -> None:
    town.edit(town.opportunity_of(town.inbound), estimatedvalue=Decimal(1234))
    town.rest()
    assert town.sweep(all_open_deals=True)[1] == []


def test_a_deal_that_was_reminded_of_is_in_step_and_stays_reminded_of(town: Town) -> None:
    town.world.clock.advance(timedelta(days=8).total_seconds())
    assert reminders.handle(town.world.connections) == "1 reminders"
    town.rest()
    assert town.sweep(all_open_deals=True)[1] == []
    town.center.edit_in_portal(town.inbound, details__dealValue=65000)
    town.rest()
    assert reminders.handle(town.world.connections) == "0 reminders"


def test_the_window_leaves_out_what_is_older(town: Town) -> None:
    town.unheard(lambda: town.edit(town.private, estimatedvalue=Decimal(65000)))
    town.world.clock.advance(3 * 3600)
    assert str(sweep.handle(town.world.connections, timedelta(hours=2))) == "0 compared, 0 with a difference, 0 hints"
    found = sweep.handle(town.world.connections, timedelta(hours=2), all_open_deals=True)
    assert (found.compared, found.differing) == (6, 1), "the night looks at every open deal, however old"


def test_a_dry_run_says_which_pair_differs_in_what_and_sends_nothing(town: Town) -> None:
    town.unheard(lambda: town.edit(town.private, estimatedvalue=Decimal(65000)))
    seen: list[Compared] = []
    found, hints = town.sweep(send=False, each=seen.append)
    assert hints == []
    assert (found.differing, found.hinted) == (1, 0)
    (differing,) = (one for one in seen if one.work)
    assert (differing.referral_id, differing.opportunity_id) == (town.referral_id(town.private), town.private)
    assert "/details/dealValue" in differing.work[0].differs
