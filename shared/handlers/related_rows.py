"""The rows beside an opportunity: its solutions, with their entries in the catalogue, and notes on its timeline.

Every id derives from what the row is for, so that whatever is written twice is there once. What is to be written was
decided before: by the merge (`shared.domain.plan`), or because a deal arrived (`inbound_deals`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from shared.connections import Connections
from shared.domain import amounts, incoming, requirements
from shared.domain.opportunity import SOLUTION_TABLE, Opportunity, solution_id
from shared.domain.plan import Change
from shared.domain.referral import Referral
from shared.domain.row import Lookup
from shared.domain.rules import RULES
from shared.domain.state import Canonical
from shared.errors import Conflict, NotFound
from shared.ports import Condition

_CATALOGUE = "cosell_microsoftsolutiondetail"
_CONVERTED = "Converted amount"


def write(connections: Connections, opportunity: Opportunity, changes: Iterable[Change], referral: Referral) -> None:
    """The parts of a plan that are rows of their own: solutions, and notes with what the columns do not tell."""
    for change in changes:
        if change.row.rule == "solutions":
            write_solutions(connections, opportunity, change.new, referral)
        elif change.row.rule == "notes":
            _save_whole_notes(connections, opportunity, referral)
        elif change.told:
            _keep(connections, opportunity, _CONVERTED, change.told.sentence)


def write_solutions(
    connections: Connections, opportunity: Opportunity, ids: Canonical, referral: Referral, *, keep: bool = False
) -> None:
    """Make the rows equal to the list; row ids derive from pair and solution, so a repeat changes nothing.

    `keep` leaves rows that are not in the list: a seller made them.
    """
    wanted = set(ids) if isinstance(ids, tuple) else set()
    tags = {solution_id(tag.id): tag for tag in referral.details.requirements.solutions}
    rows = {solution_id(row.text("cosell_solutionid")): row for row in opportunity.row.children(SOLUTION_TABLE)}
    for key in sorted(wanted - rows.keys()):
        name = ((tags[key].name if key in tags else None) or key)[:200]
        values = {"cosell_solutionid": key, "cosell_name": name, **_catalogued(connections, key, name)}
        values["cosell_opportunityid"] = Lookup("opportunity", opportunity.id)
        try:
            connections.dataverse.create(SOLUTION_TABLE, values, incoming.row_id("solution", opportunity.id, key))
        except Conflict:
            continue  # made by an earlier, interrupted run
    for key in () if keep else sorted(rows.keys() - wanted):
        with contextlib.suppress(NotFound):  # another run, or the seller, was quicker
            connections.dataverse.delete(SOLUTION_TABLE, rows[key].id)


def _catalogued(connections: Connections, key: str, name: str) -> dict[str, object]:
    """The solution's entry in the catalogue, made and flagged as imported where administrators have none."""
    if connections.terms.profile == "parity":
        return {}
    known = connections.dataverse.find(_CATALOGUE, [Condition("cosell_solutionid", key)], ("cosell_name",), limit=1)
    if known:
        return {"cosell_solutiondetailid": Lookup(_CATALOGUE, known[0].id)}
    row_id = incoming.row_id("catalogue", key)
    values = {"cosell_solutionid": key, "cosell_name": name, "cosell_imported": True}
    with contextlib.suppress(Conflict):  # another deal brought it a moment ago
        connections.dataverse.create(_CATALOGUE, values, row_id)
    return {"cosell_solutiondetailid": Lookup(_CATALOGUE, row_id)}


def save_notes(connections: Connections, opportunity: Opportunity, referral: Referral) -> None:
    """The notes of a deal that just arrived: its own where the column is too short, its amount, what it asks for."""
    _save_whole_notes(connections, opportunity, referral)
    for note in amounts.told(referral, connections.terms):
        _keep(connections, opportunity, _CONVERTED, note.sentence)
    _save_requirements(connections, opportunity, referral)


def _save_whole_notes(connections: Connections, opportunity: Opportunity, referral: Referral) -> None:
    """A text the column cannot hold is kept whole as a note on the timeline."""
    row, terms = connections.terms.mapping.row("notes"), connections.terms
    if row is None:
        return
    whole = RULES[row.rule].from_referral(referral, row, terms)
    if isinstance(whole, str) and RULES[row.rule].as_crm(whole, row, terms) != whole:
        _keep(connections, opportunity, "Partner Center notes", whole)


def _save_requirements(connections: Connections, opportunity: Opportunity, referral: Referral) -> None:
    """What the deal asks for and no column holds."""
    text = requirements.note(referral, connections.terms)
    if text and connections.terms.profile == "extended":
        _keep(connections, opportunity, requirements.SUBJECT, text)


def _keep(connections: Connections, opportunity: Opportunity, subject: str, text: str) -> None:
    """A note on the timeline; the very same text is kept once."""
    values = {"subject": subject, "notetext": text[:100_000], "objectid": Lookup("opportunity", opportunity.id)}
    with contextlib.suppress(Conflict):
        connections.dataverse.create("annotation", values, incoming.row_id("note", opportunity.id, text))
