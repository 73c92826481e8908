"""The webhook registration service in memory: one registration, test events twice a minute."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.errors import Conflict, DataProblem, NotFound, Throttled
from shared.ports import Clock, Registration, ValidationResult
from tests.fakes.calls import Calls, port_call

KNOWN_EVENTS = {
    "referral-created",
    "referral-updated",
    "related-referral-created",
    "related-referral-updated",
    "test-created",
    "subscription-updated",
    "invoice-ready",
}


class FakeRegistrations(Calls):
    """`shared.ports.WebhookRegistrations`. `reachable` says whether test events arrive."""

    port = "registrations"

    def __init__(self, clock: Clock, registration: Registration | None = None) -> None:
        super().__init__()
        self._clock = clock
        self.registration = registration
        self.reachable = True
        self._tests: dict[str, ValidationResult] = {}
        self._sent_at: deque[datetime] = deque()

    @port_call
    def current(self) -> Registration | None:
        return self.registration

    @port_call
    def register(self, url: str, events: Sequence[str]) -> Registration:
        if self.registration is not None:
            raise Conflict("PCW_VERSION", "The record was changed in Partner Center's webhook service meanwhile.")
        return self._store(url, events)

    @port_call
    def replace(self, url: str, events: Sequence[str]) -> Registration:
        if self.registration is None:
            raise NotFound("PCW_NOT_FOUND", "Partner Center's webhook service has no such record.")
        return self._store(url, events)

    @port_call
    def send_test_event(self) -> str:
        if self.registration is None or "test-created" not in self.registration.events:
            raise DataProblem("PCW_REJECTED", "Partner Center's webhook service refused the data (HTTP 400).")
        now = self._clock()
        while self._sent_at and self._sent_at[0] <= now - timedelta(minutes=1):
            self._sent_at.popleft()
        if len(self._sent_at) == 2:
            wait = (self._sent_at[0] + timedelta(minutes=1) - now).total_seconds()
            raise Throttled("PCW_THROTTLED", "Partner Center's webhook service asked to wait.", retry_after_s=wait)
        self._sent_at.append(now)
        correlation_id = str(uuid.uuid4())
        self._tests[correlation_id] = ValidationResult(self.reachable, self.reachable, 1)
        return correlation_id

    @port_call
    def test_result(self, correlation_id: str) -> ValidationResult:
        if correlation_id not in self._tests:
            raise NotFound("PCW_NOT_FOUND", "Partner Center's webhook service has no such record.")
        return self._tests[correlation_id]

    def _store(self, url: str, events: Sequence[str]) -> Registration:
        if unknown := set(events) - KNOWN_EVENTS:
            raise DataProblem("PCW_REJECTED", "Unknown events.", detail=", ".join(sorted(unknown)))
        self.registration = Registration(url, tuple(events), str(uuid.uuid4()))
        return self.registration
