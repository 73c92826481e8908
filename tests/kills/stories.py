"""What people do to a deal while the connector is killed, and what must be true of it afterwards.

A story has a deal prepared, then acted upon once; the act starts the flow that is cut short. `Pair` remembers what
people wanted last, so `problems` can tell from outside what was lost and what was doubled (I1 to I3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

from sandbox.clients import HELP_PROOF_OF_CONCEPT
from tests.acceptance.found import accounts_named, closings, opportunities_carrying
from tests.acceptance.world import Json, World

IN_PROGRESS, ON_HOLD = 1, 2
_values = count(50_001)


@dataclass
class Pair:
    """One deal on both sides: its two ids as far as known, and how it should stand."""

    opportunity: str = ""
    referral: str = ""
    customer: str = ""
    """Name of the account that the connector makes for an inbound deal."""
    value: int = 0
    status: str = "Active/Accepted"
    statecode: int = 0
    statuscode: int = IN_PROGRESS

    def find(self, world: World) -> None:
        """Learn the id that the other side gave."""
        if self.opportunity and not self.referral:
            owns = world.owns_of(self.opportunity)
            self.referral = owns[0]["id"] if owns else ""
        elif self.referral and not self.opportunity:
            rows = opportunities_carrying(world, self.referral)
            self.opportunity = rows[0]["opportunityid"] if rows else ""

    def new_value(self) -> int:
        self.value = next(_values)
        return self.value


@dataclass(frozen=True)
class Story:
    """`prepare` makes the deal, and is waited for; `act` starts what is cut short."""

    prepare: Callable[[World], Pair]
    act: Callable[[World, Pair], None]


# -- beginnings --------------------------------------------------------------------------------------------------------
def _entered(world: World, *, shared: bool = True) -> Pair:
    pair = Pair()
    pair.opportunity = world.new_deal(
        help_option=HELP_PROOF_OF_CONCEPT, estimatedvalue=pair.new_value(), cosell_syncwithpartnercenter=shared
    )
    return pair


def _unshared(world: World) -> Pair:
    return _entered(world, shared=False)


def _nothing(world: World) -> Pair:
    return Pair()


def _arrived(world: World) -> Pair:
    pair = Pair()
    _arrive(world, pair)
    return pair


# -- acts --------------------------------------------------------------------------------------------------------------
def _share(world: World, pair: Pair) -> None:
    world.seller.update("opportunities", pair.opportunity, cosell_syncwithpartnercenter=True)


def _edit(world: World, pair: Pair) -> None:
    world.seller.update("opportunities", pair.opportunity, estimatedvalue=pair.new_value())


def _edit_there(world: World, pair: Pair) -> None:
    world.portal.edit(pair.referral, {"details": {"dealValue": pair.new_value()}})


def _arrive(world: World, pair: Pair) -> None:
    referral = world.inbound(details={"dealValue": pair.new_value()})
    pair.referral, pair.customer = referral["id"], referral["customerProfile"]["name"]
    pair.status, pair.statuscode = "New/Pending", ON_HOLD


def _accept(world: World, pair: Pair) -> None:
    world.seller.update("opportunities", pair.opportunity, statuscode=IN_PROGRESS)
    pair.status, pair.statuscode = "Active/Accepted", IN_PROGRESS


def _win(world: World, pair: Pair) -> None:
    world.seller.win(pair.opportunity)
    pair.status, pair.statecode, pair.statuscode = "Closed/Won", 1, 3


def _lose_there(world: World, pair: Pair) -> None:
    world.portal.edit(pair.referral, {"status": "Closed", "substatus": "Lost", "statusReason": "Too expensive"})
    pair.status, pair.statecode, pair.statuscode = "Closed/Lost", 2, 4


SHARE = Story(_unshared, _share)
EDIT = Story(_entered, _edit)
EDIT_THERE = Story(_entered, _edit_there)
ARRIVE = Story(_nothing, _arrive)
ACCEPT = Story(_arrived, _accept)
WIN = Story(_entered, _win)
LOSE_THERE = Story(_entered, _lose_there)


# -- the verdict -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Problems:
    """One sentence for each thing that is not as promised."""

    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()

    def __add__(self, other: Problems) -> Problems:
        return Problems(self.lost + other.lost, self.doubled + other.doubled)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled)


def problems(world: World, pair: Pair) -> Problems:
    """What is wrong with a deal once everything is at rest."""
    pair.find(world)
    if not (pair.opportunity and pair.referral):
        return Problems(lost=(f"{pair} never arrived on the other side",))
    return Problems(tuple(_lost(world, pair)), tuple(_doubled(world, pair)))


def _lost(world: World, pair: Pair) -> Iterator[str]:
    row, referral = world.opportunity(pair.opportunity), world.referral(pair.referral)
    facts = {
        "referral identifier": (row["cosell_referralidentifier"], pair.referral),
        "CRM id": (referral["externalReferenceId"], pair.opportunity),
        "value in Dynamics 365": (row["estimatedvalue"], pair.value),
        "value in Partner Center": (referral["details"]["dealValue"], pair.value),
        "status in Partner Center": (f"{referral['status']}/{referral['substatus']}", pair.status),
        "state in Dynamics 365": ((row["statecode"], row["statuscode"]), (pair.statecode, pair.statuscode)),
        "Microsoft's referrals": (bool(_microsofts(world, referral)), True),
        "solutions": ({solution["cosell_solutionid"] for solution in world.solutions(pair.opportunity)} != set(), True),
        "mark": (row["name"].startswith("✔ "), True),
        "unfinished": ([word for word in ("linking", "reservation") if f'"{word}"' in row["cosell_syncstate"]], []),
    }
    for name, (found, wanted) in facts.items():
        if found != wanted:
            yield f"{name} of opportunity {pair.opportunity}, referral {pair.referral}: {found!r} instead of {wanted!r}"


def _doubled(world: World, pair: Pair) -> Iterator[str]:
    referral = world.referral(pair.referral)
    solutions = Counter(solution["cosell_solutionid"].upper() for solution in world.solutions(pair.opportunity))
    counted = {
        "own referrals": len(world.owns_of(pair.opportunity)),
        "Microsoft's referrals": len(_microsofts(world, referral)),
        "opportunities": len(opportunities_carrying(world, pair.referral)),
        "rows of one solution": max(solutions.values(), default=0),
        "closing activities": len(closings(world, pair.opportunity)),
        "accounts": len(accounts_named(world, pair.customer)) if pair.customer else 0,
    }
    for name, number in counted.items():
        if number > 1:
            yield f"{number} {name} of opportunity {pair.opportunity}, referral {pair.referral}"


def _microsofts(world: World, referral: Json) -> list[Json]:
    return [one for one in world.portal.engagement(referral["engagementId"]) if one["organizationId"] == "msft"]
