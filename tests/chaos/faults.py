"""Which call goes wrong and how: the kinds of failure, their rates, and a plan that draws them from a seed.

A `Plan` is asked before every attempt of a port call and answers with a `Fault` or None; it counts them. The
errors are made by the connector's own table of failures, so a handler sees what the real client would raise. The rates
are those of promise P1; a plan for one chosen call is in `tests.chaos.every_step`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from functools import cached_property
from typing import Protocol

import requests
from azure.servicebus import exceptions as bus

from shared.clients import failures
from shared.clients.dataverse import DATAVERSE
from shared.clients.failures import Vendor
from shared.clients.partner_center import PARTNER_CENTER
from shared.clients.service_bus import SERVICE_BUS
from shared.clients.wire import Problem
from tests.chaos.canaries import TOKEN

VENDORS: dict[str, Vendor] = {"dataverse": DATAVERSE, "partner_center": PARTNER_CENTER, "queues": SERVICE_BUS}
_READS = {
    "get", "get_many", "find", "engagement", "engagements", "updated_since", "still_open", "find_by_external_reference",
}  # fmt: skip


class Fault(StrEnum):
    """What happens to one attempt of a call."""

    THROTTLED = "throttled"
    FAILED = "failed"
    """5xx; nothing was applied."""
    LOST = "lost"
    """Applied, but the answer never came."""
    RESET = "reset"
    """The connection broke or timed out; nothing was applied, which the caller cannot know."""
    REFUSED = "refused"
    """No connection at all."""
    CONFLICT = "conflict"
    """412 although nobody else wrote."""
    TOKEN = "token"
    """Tokens are refused for a while."""
    CRASH = "crash"
    """An exception nobody foresaw."""
    LATE = "late"
    """Applied, and answered with 5xx all the same."""
    DEATH = "death"
    """Applied, and the process dies before it hears of it."""


APPLIED = (Fault.LOST, Fault.LATE, Fault.DEATH)
"""Faults after the effect."""


class Killed(BaseException):
    """The process died at this point; nothing of the product may catch it."""


@dataclass(frozen=True)
class Call:
    """One port call, with what its HTTP method and headers would allow."""

    port: str
    method: str
    conditional: bool = False
    """Carries a version of the row or referral."""

    @cached_property
    def name(self) -> str:
        return f"{self.port}.{self.method}"

    @cached_property
    def repeatable(self) -> bool:
        """Whether a second call is harmless, as `shared.clients.http` sees it."""
        return self.port == "queues" or self.method in _READS | {"delete"} or self.updates

    @cached_property
    def quick(self) -> bool:
        """Whether the client below the port tries again at once."""
        return self.method in _READS or self.updates

    @cached_property
    def updates(self) -> bool:
        return self.name == "dataverse.update" or (self.name == "partner_center.patch" and self.conditional)


def error(fault: Fault, call: Call, retry_after_s: float | None = None) -> BaseException:
    """The error the real client raises for this fault."""
    vendor, repeatable = VENDORS[call.port], call.repeatable
    if fault is Fault.DEATH:
        return Killed()
    if fault is Fault.CRASH:
        return RuntimeError(f"broken in an unforeseen way near Bearer {TOKEN}")
    if call.port == "queues":
        kind = bus.ServiceBusServerBusyError if fault is Fault.THROTTLED else bus.ServiceBusConnectionError
        return failures.from_exception(kind(message=""), vendor, repeatable=True)
    if fault is Fault.REFUSED:
        return failures.from_exception(requests.ConnectTimeout(), vendor, repeatable=repeatable)
    if fault in (Fault.RESET, Fault.LOST):
        return failures.from_exception(requests.ReadTimeout(), vendor, repeatable=repeatable)
    status = {Fault.THROTTLED: 429, Fault.CONFLICT: 412, Fault.TOKEN: 401}.get(fault, 503)
    problem = Problem(status, "", "", retry_after_s)
    return failures.from_answer(problem, vendor, repeatable=repeatable)


class Plan(Protocol):
    """Decides about attempts."""

    counts: Counter[str]

    def draw(self, call: Call) -> tuple[Fault, float | None] | None:
        """The fault of this attempt and, for THROTTLED and TOKEN, how many seconds it lasts."""
        ...

    def kills(self) -> bool:
        """Whether the process dies here."""
        ...


@dataclass
class NoFaults:
    """A world in which everything works."""

    counts: Counter[str] = field(default_factory=Counter)

    def draw(self, call: Call) -> tuple[Fault, float | None] | None:
        return None

    def kills(self) -> bool:
        return False


@dataclass(frozen=True)
class Rates:
    """Probabilities per attempt (`kill`: per step, the rest: per event). Defaults: promise P1."""

    throttled: float = 0.05
    failed: float = 0.03
    lost: float = 0.03
    reset: float = 0.02
    refused: float = 0.005
    conflict: float = 0.03
    token: float = 0.0003
    crash: float = 0.001
    kill: float = 0.002
    duplicate: float = 0.10
    dropped: float = 0.02
    poison: float = 0.005
    settle_lost: float = 0.01
    skew: float = 0.002
    """The connector's clock jumps, per event."""

    def only(self, kinds: Collection[str]) -> Rates:
        """These kinds at their rates, no others."""
        others = [one.name for one in fields(self) if one.name not in kinds]
        return replace(self, **dict.fromkeys(others, 0.0))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that happen."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name))


class Random:
    """Faults at the given rates, the same for the same seed."""

    def __init__(self, seed: str, rates: Rates) -> None:
        self.counts: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._rates = rates
        self._faults = [(fault, rate) for fault in Fault if (rate := getattr(rates, fault.value, 0.0))]
        self._most = sum(rate for _, rate in self._faults) + 1e-9
        self.on = True

    def happens(self, what: str) -> bool:
        """Whether something with its own rate happens now; counted."""
        if not self.on:
            return False
        hit: bool = self._random.random() < getattr(self._rates, what)
        self.counts[what] += hit
        return hit

    def kills(self) -> bool:
        return self.happens("kill")

    def draw(self, call: Call) -> tuple[Fault, float | None] | None:
        if not self.on:
            return None
        point = self._random.random()
        if point > self._most:  # nine in ten calls
            return None
        for fault, rate in self._faults:
            if point < rate:
                if not _fits(fault, call):
                    return None
                self.counts[fault.value] += 1
                return fault, self._lasts(fault)
            point -= rate
        return None

    def _lasts(self, fault: Fault) -> float | None:
        """Three in four waits after a 429 are short enough to be waited for in place.

        Longer ones, at this rate, keep the host closed most of the time: then a run shows the ladder and little else.
        """
        if fault is Fault.THROTTLED:
            return self._random.choice((0.5, 0.5, 1.0, 1.0, 1.5, 2.0, 5.0, 15.0))
        return self._random.uniform(20, 120) if fault is Fault.TOKEN else None


def _fits(fault: Fault, call: Call) -> bool:
    if fault is Fault.CONFLICT:
        return call.conditional
    return call.port != "queues" or fault in (Fault.FAILED, Fault.LOST, Fault.RESET, Fault.REFUSED)
