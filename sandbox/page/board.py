"""Everything the page shows, read at one moment. A part that does not answer becomes a sentence, not an error.

While a side is away its last known deals stay on the page, so that a killed simulator does not empty it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import requests

from sandbox.clients import PartnerCenterPortal, Refused, Seller, connection
from sandbox.deals import LABELS, Deal, compare
from sandbox.layout import Layout
from sandbox.overview import Overview, read_overview
from sandbox.page.switches import Switches

_SHOWN_AUDIT_LINES = 12
_EMPTY = Overview(partner_center=[], dynamics_365=[], audit={})


class Board:
    """Reads for all browsers at once; calls may come from several threads."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._http = connection(layout)
        self._seller = Seller(layout)
        self._portal = PartnerCenterPortal(layout)
        self._switches = Switches(layout)
        self._lock = threading.Lock()
        self._last: dict[str, Any] = {"deals": _EMPTY, "queues": {}, "functions": {}, "switches": {}}

    def read(self) -> dict[str, Any]:
        """The page's document: pairs of deals, queues, audit lines, switches and what is wrong."""
        with self._lock:
            problems = [
                self._refresh("deals", "Partner Center or Dynamics 365", self._overview),
                self._refresh("queues", "Service Bus", self._queues),
                self._refresh("functions", "The function app", self._functions),
                self._refresh("switches", "Partner Center", self._switches.states),
            ]
            overview: Overview = self._last["deals"]
            return {
                "pairs": _pairs(overview),
                "labels": LABELS,
                "audit": _audit(overview),
                "queues": self._last["queues"],
                "functions": self._last["functions"],
                "switches": self._last["switches"],
                "problems": [problem for problem in problems if problem],
            }

    def _refresh(self, what: str, who: str, read: Callable[[], Any]) -> str | None:
        try:
            self._last[what] = read()
        except (requests.RequestException, Refused):
            return f"{who} does not answer at the moment; what you see is from before."
        return None

    def _overview(self) -> Overview:
        return read_overview(self._seller, self._portal)

    def _queues(self) -> Any:
        return self._get(f"{self._layout.broker_admin_url}/queues")

    def _functions(self) -> Any:
        return self._get(f"{self._layout.host_url}/admin/host/invocations")

    def _get(self, url: str) -> Any:
        answer = self._http.get(url, headers={"x-functions-key": self._layout.host_key}, timeout=5)
        answer.raise_for_status()
        return answer.json()


def _pairs(overview: Overview) -> list[dict[str, Any]]:
    """Linked deals side by side; a deal without a counterpart stands alone. Newest first, by Dynamics 365's order."""
    linked = {deal.id: overview.referral_of(deal.id) for deal in overview.dynamics_365}
    taken = {referral.id for referral in linked.values() if referral}
    alone = [_pair(referral, None) for referral in overview.partner_center if referral.id not in taken]
    return alone + [_pair(linked[deal.id], deal) for deal in overview.dynamics_365]


def _pair(referral: Deal | None, opportunity: Deal | None) -> dict[str, Any]:
    differing = (
        [row.label for row in compare(referral, opportunity) if not row.agree] if referral and opportunity else []
    )
    return {
        "partnerCenter": asdict(referral) if referral else None,
        "dynamics365": asdict(opportunity) if opportunity else None,
        "differing": differing,
    }


def _audit(overview: Overview) -> list[dict[str, str]]:
    """The latest audit lines of all opportunities; each begins with its time, so text order is time order."""
    names = {deal.id: deal.name for deal in overview.dynamics_365}
    lines = [(line, names[key]) for key, column in overview.audit.items() for line in column if line.strip()]
    lines.sort(reverse=True)
    return [{"line": line, "deal": name} for line, name in lines[:_SHOWN_AUDIT_LINES]]
