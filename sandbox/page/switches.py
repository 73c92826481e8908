"""The switches that break something on purpose, and their state as the simulators know it.

A switch is a fault planted in Partner Center, so it survives a reload of the page and is seen by every browser. Faults
are `sandbox.faults`; they strike the connector's requests only, never this page's.
"""

from __future__ import annotations

from typing import Any

from sandbox.clients import connection
from sandbox.layout import Layout

FAULTS: dict[str, dict[str, Any]] = {
    "down": {"kind": "status", "path": "/v1.0", "status": 503},
    "slow": {"kind": "latency", "path": "/v1.0", "delay_s": 3.0},
    "busy": {"kind": "status", "path": "/v1.0", "status": 429, "retry_after": 5},
}
"""Partner Center answers 503, answers late, answers "too many requests"."""
SILENT = "silent"
"""Partner Center keeps its events to itself; they are delivered when the switch is turned off."""


class Switches:
    """Reads and sets; ValueError for a name that is no switch."""

    def __init__(self, layout: Layout) -> None:
        self._address = f"{layout.partner_center_url}/_sim"
        self._http = connection(layout)

    def states(self) -> dict[str, bool]:
        """Name → on."""
        planted = self._planted()
        faults = {name: any(_is(fault, one) for one in planted) for name, fault in FAULTS.items()}
        return faults | {SILENT: self._get("delivery")["mode"] == "stopped"}

    def set(self, name: str, on: bool) -> None:
        """Turn a switch on or off; setting it to what it is changes nothing."""
        if name == SILENT:
            mode = {"mode": "stopped" if on else "normal"}
            self._http.put(f"{self._address}/delivery", json=mode, timeout=5).raise_for_status()
            return
        if name not in FAULTS:
            raise ValueError(f"There is no switch {name}.")
        matching = [planted for planted in self._planted() if _is(FAULTS[name], planted)]
        if on and not matching:
            self._http.post(f"{self._address}/faults", json=FAULTS[name], timeout=5).raise_for_status()
        for planted in matching if not on else ():
            self._http.delete(f"{self._address}/faults/{planted['id']}", timeout=5).raise_for_status()

    def _planted(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("faults")
        return found

    def _get(self, what: str) -> Any:
        answer = self._http.get(f"{self._address}/{what}", timeout=5)
        answer.raise_for_status()
        return answer.json()


def _is(fault: dict[str, Any], planted: dict[str, Any]) -> bool:
    return all(planted.get(name) == value for name, value in fault.items())
