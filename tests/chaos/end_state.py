"""What both sides show once everything is at rest, in a form that two runs can be compared by.

Deals are named by what people called them; ids, versions, moments, the audit and the connector's own notes differ
between runs that are equally right, and are left out.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from shared.domain.opportunity import SOLUTION_TABLE
from shared.ports import Lookup
from tests.chaos.world import World

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_LEFT_OUT = {"cosell_audit", "cosell_syncstate", "versionnumber"}
_SHOWN = ("status", "substatus", "name", "salesStage", "campaignId", "details", "consent", "trackingInfo")


def of(world: World) -> dict[str, Any]:
    """Everything that a person would look at, by deal."""
    deals: dict[str, Any] = {}
    for row_id, row in world.dataverse.rows.all("opportunity").items():
        children = world.dataverse.rows.equal(SOLUTION_TABLE, "cosell_opportunityid", row_id)
        solutions = sorted(world.dataverse.rows.all(SOLUTION_TABLE)[child]["cosell_solutionid"] for child in children)
        columns = {k: _plain(v) for k, v in row.items() if k not in _LEFT_OUT}
        name = str(row["name"]).lstrip("✔✖ ")
        deals.setdefault(f"opportunity {name}", []).append({**columns, "solutions": solutions})
    for document in world.center.documents.values():
        key = f"{document['organizationId']} {document['name']}"
        linked = world.dataverse.rows.get("opportunity", str(document.get("externalReferenceId")))
        shown = {name: _plain(document.get(name)) for name in _SHOWN}
        deals.setdefault(key, []).append({**shown, "linked": linked["name"] if linked else None})
    for table in ("account", "contact", "lead"):
        deals[table] = len(world.dataverse.rows.all(table))
    return deals


def _plain(value: Any) -> Any:
    """Without what an id or a moment would show; whether it is there stays."""
    if isinstance(value, str):
        return _ID.sub("(id)", value)
    if isinstance(value, Lookup):
        return f"({value.table})"
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, date):
        return "(moment)" if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return sorted(map(_plain, value), key=str) if isinstance(value, list) else value
