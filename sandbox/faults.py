"""Faults that tests plant in a simulator: latency, a status, a lost answer, a reset connection, a caller left waiting.

`Faults.strike` decides, by request, what happens; `sandbox.web` makes it happen. The semantics are written down in
`docs/sandbox.md`. A seeded fault strikes the same requests on every run, as long as they arrive in the same order.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Fault(BaseModel):
    """What to do to matching requests. `path` is a prefix; None for `times` means until removed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["latency", "status", "lost_answer", "reset", "hold", "hold_answer"]
    method: str | None = None
    path: str = "/"
    client: str | None = None
    """Client id of the caller's token."""
    times: int | None = Field(default=None, ge=1)
    skip: int = Field(default=0, ge=0)
    """How many matching requests pass unharmed first."""
    probability: float = Field(default=1.0, gt=0, le=1)
    status: int = Field(default=503, ge=400, le=599)
    retry_after: int | None = Field(default=None, ge=0)
    body: Literal["vendor", "empty", "html"] = "vendor"
    """The answer of a `status` fault: the vendor's error shape, nothing, or a gateway's page."""
    delay_s: float = Field(default=0.0, ge=0, le=600)
    seed: int | None = None


@dataclass
class _Planted:
    id: int
    fault: Fault
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(default_factory=random.Random)


class Faults:
    """The faults of one simulator."""

    def __init__(self) -> None:
        self._planted: list[_Planted] = []
        self._last_id = 0

    def add(self, fault: Fault) -> int:
        self._last_id += 1
        self._planted.append(_Planted(self._last_id, fault, dice=random.Random(fault.seed)))
        return self._last_id

    def remove(self, fault_id: int | None = None) -> bool:
        """One or all; False when there is no such fault."""
        kept = [] if fault_id is None else [planted for planted in self._planted if planted.id != fault_id]
        found = fault_id is None or len(kept) < len(self._planted)
        self._planted = kept
        return found

    def listing(self) -> list[dict[str, Any]]:
        return [{"id": p.id, "fired": p.fired, **p.fault.model_dump()} for p in self._planted]

    def strike(self, method: str, path: str, client: str | None) -> list[Fault]:
        """The faults this request suffers: every latency that fires, then at most one of the other kinds."""
        struck: list[Fault] = []
        for planted in self._planted:
            fault = planted.fault
            if not _matches(fault, method, path, client):
                continue
            if fault.kind != "latency" and any(earlier.kind != "latency" for earlier in struck):
                continue
            if _fires(planted):
                struck.append(fault)
        return sorted(struck, key=lambda fault: fault.kind != "latency")


def _matches(fault: Fault, method: str, path: str, client: str | None) -> bool:
    return (
        (fault.method is None or fault.method.upper() == method)
        and path.startswith(fault.path)
        and (fault.client is None or fault.client == client)
    )


def _fires(planted: _Planted) -> bool:
    fault = planted.fault
    if fault.times is not None and planted.fired >= fault.times:
        return False
    planted.seen += 1
    if planted.seen <= fault.skip or planted.dice.random() >= fault.probability:
        return False
    planted.fired += 1
    return True
