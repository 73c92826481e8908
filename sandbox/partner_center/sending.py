"""Delivers events to the registered address: in parallel, up to ten attempts each, then never again by itself.

The event loop decides what is due; threads do the HTTP (`lane`). State is in `store`, so what was pending when the
process died is delivered by the next one. `PUT /_sim/delivery` changes `Delivery`, the ways in which a network and a
sender misbehave. Attempts, intervals and timeouts of the real service are not published, except the number ten.
"""

from __future__ import annotations

import asyncio
import heapq
import http.client
import random
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.layout import Layout
from sandbox.partner_center.events import Events, Registration
from sandbox.partner_center.lane import Lane
from sandbox.partner_center.signing import Fault, Signing
from sandbox.partner_center.store import Event, EventState, Store

_MOST_LANES = 16


class Delivery(BaseModel):
    """How events are delivered; set by `PUT /_sim/delivery`."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["normal", "stopped", "drop", "duplicate", "reorder"] = "normal"
    """stopped: kept; drop: lost for good; duplicate: each twice; reorder: within `reorder_within_s`."""
    delay_s: float = Field(default=0, ge=0, le=3600)
    reorder_within_s: float = Field(default=0.5, ge=0, le=60)
    seed: int | None = None
    attempts: int = Field(default=10, ge=1, le=10)
    schedule_s: tuple[float, ...] = Field(default=(0.2, 0.5, 1, 2, 4, 8, 15, 30, 60), min_length=1)
    """Wait before the second, third … attempt; the last one holds for all that follow."""
    timeout_s: float = Field(default=10, gt=0, le=120)
    parallel: int = Field(default=8, ge=1, le=_MOST_LANES)
    signature_fault: Fault | None = None
    certificate_format: Literal["der", "pem"] = "der"


class Sender:
    """One per process; `run` is its life."""

    def __init__(
        self, layout: Layout, store: Store, events: Events, signing: Signing, now: Callable[[], datetime]
    ) -> None:
        self._store, self._events, self._signing, self._now = store, events, signing, now
        self._trust = ssl.create_default_context()
        self._trust.load_verify_locations(layout.ca_bundle)
        self._lanes: list[Lane] = []
        self._free: list[Lane] = []
        self._threads = ThreadPoolExecutor(_MOST_LANES, thread_name_prefix="delivery")
        self._due: list[tuple[float, int, Event]] = []
        self._seen = 0
        self._in_flight: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()
        self._dice = random.Random()
        self._life = 0
        self.settings = Delivery.model_validate(store.setting("delivery") or {})
        events.wake = self._awake.set

    def change(self, settings: Delivery) -> None:
        self.settings = settings
        self._dice = random.Random(settings.seed)
        self._store.set_setting("delivery", settings.model_dump(mode="json"))
        self._awake.set()

    def forget(self) -> None:
        """The store was emptied: deliveries under way end without a trace."""
        self._life += 1
        self._due.clear()
        self.settings = Delivery()

    def idle(self) -> bool:
        """Nothing is under way or will be by itself."""
        return not self._in_flight and (self.settings.mode == "stopped" or not self._store.count_pending())

    def send_again(self, event: Event) -> None:
        """A delivered, dead or dropped event starts anew."""
        self._store.set_event(event.n, "pending", 0)
        if event.n <= self._seen:  # else `_take_new` finds it
            self._schedule(event, attempts=0, wait_s=0)
        self._awake.set()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                self._awake.clear()
                self._take_new()
                self._start_due()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._awake.wait(), self._until_next())
        finally:
            for lane in self._lanes:
                lane.abort()
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _take_new(self) -> None:
        for event in self._store.events(since=self._seen, state="pending"):
            self._seen = event.n
            spread = self._dice.uniform(0, self.settings.reorder_within_s) if self.settings.mode == "reorder" else 0
            self._schedule(event, attempts=event.attempts, wait_s=self.settings.delay_s + spread)

    def _schedule(self, event: Event, *, attempts: int, wait_s: float) -> None:
        pending = Event(**event.__dict__ | {"state": "pending", "attempts": attempts})
        heapq.heappush(self._due, (time.monotonic() + wait_s, event.n, pending))

    def _until_next(self) -> float | None:
        if not self._due or self.settings.mode == "stopped" or len(self._in_flight) >= self.settings.parallel:
            return None
        return max(0.0, self._due[0][0] - time.monotonic())

    def _start_due(self) -> None:
        while self._until_next() == 0.0:
            event = heapq.heappop(self._due)[2]
            if self.settings.mode == "drop":
                self._store.set_event(event.n, "dropped", event.attempts)
                continue
            task = asyncio.create_task(self._deliver(event, self._life))
            self._in_flight.add(task)
            task.add_done_callback(self._landed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._awake.set()

    async def _deliver(self, event: Event, life: int) -> None:
        settings, registration = self.settings, self._events.registration()
        if registration is None:
            return  # the store was emptied in this moment
        delivered = await self._attempt(event, registration, settings, life)
        if delivered and settings.mode == "duplicate":
            await self._attempt(event, registration, settings, life)
        if life != self._life:
            return
        attempts = event.attempts + 1
        state: EventState = "delivered" if delivered else "dead" if attempts >= settings.attempts else "pending"
        self._store.set_event(event.n, state, attempts)
        if state == "pending":
            waits = settings.schedule_s
            self._schedule(event, attempts=attempts, wait_s=waits[min(attempts, len(waits)) - 1])

    async def _attempt(self, event: Event, registration: Registration, settings: Delivery, life: int) -> bool:
        """One request; whether it was answered 2xx."""
        body, headers = self._signing.request(event.body, settings.signature_fault, own_header=registration.own_header)
        lane = self._free.pop() if self._free else self._new_lane()
        started, at = time.monotonic(), self._now()
        status, error = None, None
        try:
            post = partial(lane.post, registration.url, body, headers, settings.timeout_s)
            status = await asyncio.get_running_loop().run_in_executor(self._threads, post)
        except (OSError, http.client.HTTPException) as failure:
            error = f"{type(failure).__name__}: {failure}"[:200]
        finally:
            self._free.append(lane)
        if life == self._life:
            duration_ms = round((time.monotonic() - started) * 1000, 1)
            self._store.add_delivery(event, event.attempts + 1, at.isoformat(), status, error, duration_ms)
        return status is not None and 200 <= status < 300

    def _new_lane(self) -> Lane:
        self._lanes.append(Lane(self._trust))
        return self._lanes[-1]
