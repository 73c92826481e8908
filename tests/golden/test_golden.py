"""Real-shaped deals and what becomes of them: one folder a case, with in.json, out.json and why.md.

`inbound`: a referral and the records it becomes in Dynamics 365. `outbound`: an opportunity and the two documents, or
the patch, it becomes in Partner Center. The expected results are written by hand from the documented behaviour.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.domain import amounts, classify, incoming, outgoing
from shared.domain import status as status_table
from shared.domain.opportunity import Opportunity
from shared.domain.plan import merge
from shared.domain.referral import Referral
from shared.domain.required import violations, wants_help
from shared.domain.state import SyncState
from shared.domain.terms import Rates, Terms
from tests.golden import rendering
from tests.unit import pairs

HERE = Path(__file__).parent
INBOUND, OUTBOUND = (sorted(path for path in (HERE / side).iterdir()) for side in ("inbound", "outbound"))
type Json = dict[str, Any]


def _terms(given: Json) -> Terms:
    changes = dict(given.get("terms", {}))
    return pairs.terms(**changes | ({"rates": Rates(**changes["rates"])} if "rates" in changes else {}))


# -- inbound -----------------------------------------------------------------------------------------------------------
def _received(given: Json) -> Json:
    """Kind, records and status of a referral that arrives."""
    known, own = _terms(given), Referral.model_validate(given["referral"])
    microsofts = Referral.model_validate(given["microsofts"]) if "microsofts" in given else None
    kind = classify.kind(own, microsofts)
    found: Json = {"kind": kind, "taken": classify.wanted(kind, classify.InboundPolicy(**given.get("policy", {})))}
    if classify.is_lead(kind):
        found["lead"] = rendering.columns(incoming.lead(own, known))
    else:
        columns = {
            **incoming.mapped(own, known.mapping.opportunity, known),
            **incoming.identity(own, known),
            **incoming.direction(own, known),
            **incoming.standing(own, known, microsofts),
            **(incoming.microsoft_columns(microsofts) if microsofts else {}),
        }
        found["opportunity"] = rendering.columns(columns)
        row = _row({"opportunity": {"statuscode": 2 if _awaits(own) else 1}})
        found["status"] = rendering.status(status_table.decide(SyncState(), own, row, known, pairs.NOW))
    found["account"] = rendering.columns(incoming.account(own, known))
    found["contacts"] = [rendering.columns(incoming.contact(one, known)) for one in own.customer_profile.team]
    told = [str(note) for note in (*amounts.told(own, known), amounts.problem(own, known)) if note]
    return found | ({"told": told} if told else {})


def _awaits(own: Referral) -> bool:
    return status_table.of_referral(own) == "new" and classify.inbound(own)


# -- outbound ----------------------------------------------------------------------------------------------------------
def _row(given: Json, changes: Json | None = None) -> Opportunity:
    columns = {**given.get("opportunity", {}), **(changes or {}).get("opportunity", {})}
    related = {**given, **(changes or {})}
    rows = {name: related[name] for name in ("account", "contact", "owner", "currency", "solutions") if name in related}
    return pairs.opportunity({name: rendering.row_value(name, value) for name, value in columns.items()}, **rows)


def _shared(given: Json) -> Json:
    """What is missing, or the documents of a deal shared for the first time."""
    known, row = _terms(given), _row(given)
    missing = [str(violation.note) for violation in violations(row, known)]
    if missing:
        return {"missing": missing}
    found: Json = {"own": rendering.plain(outgoing.own_body(row, known))}
    if wants_help(row, known):
        microsofts = outgoing.microsoft_body(row, pairs.referral(), known)
        found["microsofts_differs_in"] = {
            name: value for name, value in rendering.plain(microsofts).items() if found["own"].get(name) != value
        }
        found["only_in_own"] = sorted(found["own"].keys() - microsofts.keys())
    return found


def _updated(given: Json) -> Json:
    """The patch of a change to a deal both sides held alike."""
    known, found, before = _terms(given), pairs.referral(given.get("referral")), _row(given)
    word, crm = status_table.of_referral(found), status_table.of_opportunity(before, known)
    state = pairs.in_step(found, before, known).but(
        status_pc=word, status_crm=crm, outbound=False, terminal_since=pairs.NOW - timedelta(hours=1)
    )
    row = _row(given, given["changed"])
    plan = merge(state, found, row, known)
    decision = status_table.decide(state, found, row, known, pairs.NOW)
    changes = () if decision.held else plan.to_pc
    operations = outgoing.operations(changes, row, known, found)
    for step in decision.send:
        operations += outgoing.status_operations(*step)
    result: Json = {"patch": [{"op": op, "path": path, "value": rendering.plain(v)} for op, path, v in operations]}
    restored = {change.row.column: change.row.column and change.new for change in plan.to_crm if change.restore}
    told = [note.code for note in (*plan.notes, *plan.problems)]
    extra = {"restored_in_the_crm": restored, "told": told, "status": rendering.status(decision)}
    return result | {name: value for name, value in extra.items() if value}


# -- comparing ---------------------------------------------------------------------------------------------------------
def _compare(case: Path, result: Callable[[Json], Json], update: bool) -> None:
    given = json.loads((case / "in.json").read_text(encoding="utf-8"), parse_float=Decimal)
    found, file = result(given), case / "out.json"
    expected = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    if update and found != expected:
        file.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        pytest.fail(f"{file.relative_to(HERE)} was rewritten; read the difference before you keep it")
    assert found == expected


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update", default=False))


@pytest.mark.parametrize("case", INBOUND, ids=lambda case: case.name)
def test_inbound(case: Path, update: bool) -> None:
    _compare(case, _received, update)


@pytest.mark.parametrize("case", OUTBOUND, ids=lambda case: case.name)
def test_outbound(case: Path, update: bool) -> None:
    given = json.loads((case / "in.json").read_text(encoding="utf-8"))
    _compare(case, _updated if "changed" in given else _shared, update)


def test_there_are_enough_cases_and_each_says_why() -> None:
    assert len(INBOUND) >= 25
    assert len(OUTBOUND) >= 12
    for case in (*INBOUND, *OUTBOUND):
        assert {path.name for path in case.iterdir()} == {"in.json", "out.json", "why.md"}
        assert len((case / "why.md").read_text(encoding="utf-8").split()) >= 6, case.name
