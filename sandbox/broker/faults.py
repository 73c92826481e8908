"""What is to go wrong on purpose: a short list that tests fill over the admin port and the links ask.

Pure bookkeeping. Where each kind bites is said in `KINDS`.
"""

from __future__ import annotations

from itertools import count
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["refuse_send", "lost_answer", "delay", "duplicate_delivery", "drop_connections"]
"""`refuse_send`: a send is rejected with `condition`. `lost_answer`: a send is stored, then the connection is dropped
before the sender hears of it. `delay`: the answer to a send takes `delay_s` longer. `duplicate_delivery`: a completed
message is delivered once more. `drop_connections`: every connection is cut, at once."""


class Fault(BaseModel):
    """One fault: which queue (any when None) and how many times more (until removed when None)."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    queue: str | None = None
    times: int | None = Field(default=1, ge=1)
    delay_s: float = Field(default=0.5, ge=0)
    condition: str = "com.microsoft:server-busy"
    fired: int = 0


class Faults:
    """The faults asked for, by id."""

    def __init__(self) -> None:
        self.active: dict[int, Fault] = {}
        self._ids = count(1)

    def add(self, fault: Fault) -> int:
        """Its id."""
        number = next(self._ids)
        self.active[number] = fault
        return number

    def fires(self, kind: Kind, queue: str) -> Fault | None:
        """The fault that hits this queue now, counted; None when none does."""
        for fault in self.active.values():
            left = fault.times is None or fault.fired < fault.times
            if fault.kind == kind and left and (fault.queue is None or fault.queue.lower() == queue):
                fault.fired += 1
                return fault
        return None
