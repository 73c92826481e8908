"""`python -m admin mapping check|test`: does the field mapping fit this environment, and what does it make of a deal?

`check` lists every row with its column's real type and what is wrong, then what Partner Center requires and nothing
fills. `test` reads one opportunity, and its referral where it has one, and prints both sides in the form they are
compared in, what would be sent or brought over, and what is missing. Neither writes anything.
"""

from __future__ import annotations

import argparse
import json
import uuid
from collections.abc import Callable

from shared import mapping_file
from shared.app import App
from shared.connections import Connections
from shared.domain import outgoing
from shared.domain.audit import shown
from shared.domain.mapping import TABLES
from shared.domain.mapping_check import check, unmapped
from shared.domain.opportunity import Opportunity
from shared.domain.plan import merge
from shared.domain.required import violations
from shared.domain.rules import RULES
from shared.handlers.opportunities import load


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command and its verbs."""
    parser = commands.add_parser("mapping", help="check the field mapping, or try it on one deal")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("check", help="every row against the environment's columns")
    test = verbs.add_parser("test", help="what the mapping makes of one opportunity; writes nothing")
    test.add_argument("--opportunity", type=uuid.UUID, required=True, metavar="ID")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, connect: Callable[[], App]) -> int:
    """Carry out one verb; 1 when the mapping or the deal cannot be used as it is."""
    app = connect()
    return _check(app) if options.verb == "check" else _test(app.connections, str(options.opportunity))


def _check(app: App) -> int:
    chosen = app.settings.with_dataverse(app.dataverse.environment_variables("cosell_"))
    mapping = mapping_file.load(chosen)
    findings = check(mapping, {table: app.dataverse.columns(table) for table in TABLES})
    for finding in findings:
        row = finding.row
        state = "ok" if finding.problem is None else f"WRONG: {finding.problem}" if finding.fatal else finding.problem
        print(f"{finding.table}.{row.field:<20} {row.referral:<62} {row.column:<28} {finding.kind or '-':<10} {state}")
    missing = unmapped(mapping)
    for path in missing:
        print(f"{path}: required by Partner Center, and no row fills it")
    wrong = [finding for finding in findings if finding.problem]
    print(f"{len(findings)} rows, {len(wrong)} to look at, {len(missing)} required properties unmapped.")
    return 1 if missing or any(finding.fatal for finding in findings) else 0


def _test(connections: Connections, opportunity_id: str) -> int:
    terms, opportunity = connections.terms, load(connections, opportunity_id)
    print(f"{opportunity.name}")
    missing = violations(opportunity, terms)
    for violation in missing:
        print(f"  missing   {violation.note}")
    if opportunity.referral_id is None:
        if not missing:
            print("  would be created with")
            print(json.dumps(outgoing.own_body(opportunity, terms), indent=2, ensure_ascii=False, default=str))
        return 1 if missing else 0
    return _compare(connections, opportunity, opportunity.referral_id)


def _compare(connections: Connections, opportunity: Opportunity, referral_id: str) -> int:
    terms, referral = connections.terms, connections.partner_center.get(referral_id)
    for row in terms.mapping.opportunity:
        rule = RULES[row.rule]
        pc, crm = rule.from_referral(referral, row, terms), rule.from_opportunity(opportunity, row, terms)
        sides = f"{shown(pc, free_text=rule.free_text):<40} {shown(crm, free_text=rule.free_text)}"
        print(f"  {row.field:<20} {sides}")
    plan = merge(opportunity.state, referral, opportunity, terms)
    for change in plan.to_pc:
        print(f"  would send       {change.describe()}")
    for change in plan.to_crm:
        print(f"  would bring over {change.describe()}")
    for note in (*plan.notes, *plan.problems, *plan.inbound_problems):
        print(f"  note      {note}")
    return 0
