"""The connector's ports with the world in between: at every call other work may run, time passes, things go wrong.

A call passes, in this order: the hand-over to the scheduler (where the process may die), the product's own limiter for
the two vendors, the vendor's patience (I9), the fault drawn for this attempt, the effect, and perhaps the loss of the
answer. The quick tries that the product's HTTP client makes below a port are made here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

from shared.clients.limiter import PATIENCE_S, Limiter
from shared.errors import SyncError, Throttled, Unavailable
from tests.chaos import faults
from tests.chaos.faults import Call, Fault, Plan
from tests.chaos.journal import Journal
from tests.fakes.clock import VirtualClock

QUICK_TRIES = 3
_METHODS: Mapping[str, Sequence[str]] = {
    "dataverse": ("get", "get_many", "find", "create", "update", "delete", "close_opportunity", "qualify_lead"),
    "partner_center": (
        "get",
        "engagement",
        "engagements",
        "updated_since",
        "still_open",
        "find_by_external_reference",
        "create",
        "patch",
    ),
    "queues": ("send", "resend", "park"),
}
_CACHED = ("user_id", "columns", "environment_variables")
"""Answered by the real client without a call."""
_CALLS_PER_MINUTE = {"dataverse": 1000, "partner_center": 80}
_AT_ONCE = 4


@cache
def _calls(port: str, method: str) -> tuple[Call, Call]:
    """A call without and with a version; thousands of worlds make the same few."""
    return Call(port, method), Call(port, method, conditional=True)


class Ports:
    """One process's view of the outside; `restart` begins another process."""

    def __init__(
        self,
        clock: VirtualClock,
        plan: Plan,
        journal: Journal,
        switch: Callable[[], None],
        *,
        latency_s: Callable[[], float] = lambda: 0.02,
        quick_tries: int = QUICK_TRIES,
    ) -> None:
        self.plan = plan
        self.sleep: Callable[[float], None] = clock.advance
        """How a limiter waits; as it is, nobody else works meanwhile."""
        self.calls_per_minute = dict(_CALLS_PER_MINUTE)
        """By vendor; in force after a `restart`."""
        self._clock, self._journal, self._switch = clock, journal, switch
        self._latency_s, self._tries = latency_s, quick_tries
        self._limiters: dict[str, Limiter] = {}
        self._told_to_wait_until: dict[str, float] = {}
        self._tokens_refused_until: dict[str, float] = {}
        self.restart()

    def restart(self) -> None:
        """What a process remembers of its hosts is gone; the vendors tell it again."""
        self._told_to_wait_until.clear()
        for host, calls in self.calls_per_minute.items():
            self._limiters[host] = Limiter(
                host,
                calls_per_minute=calls,
                concurrency=_AT_ONCE,
                now=self._clock.monotonic,
                sleep=lambda seconds: self.sleep(seconds),
            )

    def between(self, port: str, inner: object) -> Any:
        """`inner` as the connector sees it."""
        methods = {name: self._method(port, name, getattr(inner, name)) for name in _METHODS[port]}
        cached = {name: getattr(inner, name) for name in _CACHED if hasattr(inner, name)}
        return SimpleNamespace(**methods, **cached)

    def _method(self, port: str, method: str, effect: Callable[..., Any]) -> Callable[..., Any]:
        plain, conditional = _calls(port, method)
        takes_version = (port, method) in (("dataverse", "update"), ("partner_center", "patch"))

        def call(*args: Any, **kwargs: Any) -> Any:
            version = kwargs.get("etag", args[-1]) if takes_version else None
            what = conditional if version else plain
            self._journal.sending(what, args, kwargs)
            return self._request(what, lambda: effect(*args, **kwargs))

        return call

    def _request(self, call: Call, effect: Callable[[], Any]) -> Any:
        for left in reversed(range(self._tries)):
            try:
                return self._attempt(call, effect)
            except Throttled as error:
                if not left or (error.retry_after_s or 0) > PATIENCE_S:
                    raise
            except Unavailable as error:
                never_sent = error.code.endswith("UNREACHABLE")
                if not left or not (call.quick or never_sent):
                    raise
        raise AssertionError("the last try returns or raises")

    def _attempt(self, call: Call, effect: Callable[[], Any]) -> Any:
        self._switch()
        self._clock.advance(self._latency_s())
        limiter = self._limiters.get(call.port)
        if limiter is None:
            return self._exchange(call, effect, None)
        with limiter.slot():
            return self._exchange(call, effect, limiter)

    def _exchange(self, call: Call, effect: Callable[[], Any], limiter: Limiter | None) -> Any:
        """What the other side does with one request."""
        now = self._clock.monotonic()
        early = self._told_to_wait_until.get(call.port, 0.0) - now
        if early > 1e-6:
            self._journal.violation("I9", f"{call.name} was called {early:.1f} s before its Retry-After had passed")
        drawn = self.plan.draw(call)
        fault, lasts_s = drawn or (None, None)
        if fault is Fault.TOKEN:
            self._tokens_refused_until[call.port] = now + (lasts_s or 0)
        if now < self._tokens_refused_until.get(call.port, 0.0):
            raise faults.error(Fault.TOKEN, call)
        if fault is Fault.THROTTLED and limiter is not None:
            self._told_to_wait_until[call.port] = now + (lasts_s or 0)
            raise faults.error(fault, call, limiter.pause(lasts_s))
        if fault is not None and fault not in faults.APPLIED:
            raise faults.error(fault, call)
        try:
            self._journal.by_connector = True
            result = effect()
        except SyncError:
            self._answered(limiter)
            raise
        finally:
            self._journal.by_connector = False
        if fault is not None:
            raise faults.error(fault, call)
        self._answered(limiter)
        return result

    def _answered(self, limiter: Limiter | None) -> None:
        if limiter is not None:
            limiter.answered()
