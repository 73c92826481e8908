"""The whole system in memory, driven by one seed: two clouds, the queues, seven flows through the real delivery.

`World` is put together from the fakes; the connector's side is the product, unchanged: handlers, delivery, limiter,
sweep, terms read from (fake) Dataverse. Time is virtual. `work_until` lets things happen, `drain` brings everything to
rest, `sweep` reconciles as the timer would.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import shared.handlers.create_cosell_referral_dynamics_365_to_partner_center as flow_2
import shared.handlers.dynamics_365_microsoft_solutions_to_partner_center as flow_7
import shared.handlers.dynamics_365_opportunity_to_partner_center as flow_6
import shared.handlers.dynamics_365_to_partner_center as flow_5
import shared.handlers.partner_center_microsoft_cosell_referral_updates_to_dynamics_365 as flow_3
import shared.handlers.partner_center_to_dynamics_365 as flow_4
from shared import mapping_file, messages, row_event
from shared import settings as settings_module
from shared.connections import Connections
from shared.delivery import Delivery
from shared.domain.terms import Terms
from shared.handlers import delays, sweep
from shared.messages import Queue
from shared.terms_source import read_terms
from tests.chaos.faults import NoFaults, Plan
from tests.chaos.feeds import Feeds
from tests.chaos.host import Host
from tests.chaos.journal import Journal
from tests.chaos.log import Log
from tests.chaos.ports import QUICK_TRIES, Ports
from tests.fakes.clock import VirtualClock
from tests.fakes.dataverse import FakeDataverse
from tests.fakes.partner_center import OWN_ORGANIZATION, FakePartnerCenter
from tests.fakes.registrations import FakeRegistrations
from tests.fakes.service_bus import FakeQueues, Message

type Parse = Callable[[str], Any]
type Handle = Callable[[Any, Connections], str]
type Between = Callable[[Connections], Connections]
FLOWS: dict[str, tuple[Parse, Handle]] = {
    Queue.PARTNER_CENTER_EVENTS: (messages.parse, flow_4.handle),
    Queue.MICROSOFT_REFERRAL_UPDATES: (messages.parse, flow_3.handle),
    Queue.DYNAMICS_365_OPPORTUNITIES: (row_event.parse, flow_6.handle),
    Queue.DYNAMICS_365_SOLUTIONS: (row_event.parse, flow_7.handle),
    Queue.DYNAMICS_365_TO_PARTNER_CENTER: (messages.parse, flow_5.handle),
    Queue.CREATE_COSELL_REFERRAL: (messages.parse, flow_2.handle),
}
"""Queue → how its messages are read and handled, as in `function_app`."""
LATE = dict.fromkeys((Queue.DYNAMICS_365_TO_PARTNER_CENTER, Queue.CREATE_COSELL_REFERRAL), delays.tell)
"""Queue → who is told of a message that waits, as there."""


def _as_they_are(connections: Connections) -> Connections:
    return connections


_ENOUGH = 60
"""Deliveries per change after which a world that does not come to rest counts as a loop."""


@cache
def terms() -> Terms:
    """The terms of the example installation; the same for every world."""
    environment = {
        "PC_TENANT_ID": "3f2b8a54-6d1e-4c0a-9f6e-1b7a2c9d8e01",
        "PC_CLIENT_ID": "3f2b8a54-6d1e-4c0a-9f6e-1b7a2c9d8e02",
        "PC_CLIENT_SECRET": "not used",
        "PC_ORGANIZATION_ID": OWN_ORGANIZATION,
        "KEY_VAULT_URL": "https://vault.example",
        "DATAVERSE_URL": "https://contoso.crm.dynamics.com",
        "ServiceBusConnection__fullyQualifiedNamespace": "bus.example",
    }
    chosen = settings_module.load(environment)
    return read_terms(chosen, mapping_file.load(chosen), FakeDataverse(VirtualClock()))


class SkewedClock:
    """The connector's own clock: the world's, off by `skew_s`."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.skew_s = 0.0

    def __call__(self) -> datetime:
        return self._clock() + timedelta(seconds=self.skew_s)


class World:
    """See the module's text. `plan` decides what goes wrong; `log` holds what the connector logged.

    `flows` and `between` are where a test puts something else in: other handlers, or ports around the ports.
    """

    def __init__(
        self,
        seed: str = "calm",
        plan: Plan | None = None,
        *,
        at_once: int = 6,
        window: int = 50,
        quick_tries: int = QUICK_TRIES,
        flows: Mapping[str, tuple[Parse, Handle]] = FLOWS,
        between: Between = _as_they_are,
        **connections: Any,
    ) -> None:
        self.seed, self.plan, self.flows = seed, plan or NoFaults(), flows
        self.random = random.Random(f"{seed}/order")
        self.clock = VirtualClock()
        self.dataverse, self.center = FakeDataverse(self.clock), FakePartnerCenter(self.clock)
        self.queues = FakeQueues(self.clock)
        self.journal = Journal(self.dataverse, self.center)
        self.feeds = Feeds(self.queues, self.dataverse, self.center, self.plan, seed)
        self.log = Log(self.journal)
        self.app_clock = SkewedClock(self.clock)
        self.host = Host(
            self.queues, self.plan, self._run, self._restart, self.random, at_once=at_once, window=window
        )  # fmt: skip
        latency = random.Random(f"{seed}/latency")
        self.ports = Ports(
            self.clock,
            self.plan,
            self.journal,
            self.host.switch,
            latency_s=lambda: latency.uniform(0.005, 0.05),
            quick_tries=quick_tries,
        )
        connections.setdefault("brake_closings_per_hour", 1_000_000)  # people close more here than any brake allows
        self.connections = between(Connections(
            partner_center=self.ports.between("partner_center", self.center),
            dataverse=self.ports.between("dataverse", self.dataverse),
            queues=self.ports.between("queues", self.queues),
            registrations=FakeRegistrations(self.clock),
            clock=self.app_clock,
            terms=terms(),
            **connections,
        ))  # fmt: skip
        self.delivery = Delivery(self.connections.queues, self.app_clock)

    # the connector's process ----------------------------------------------------------------------------------------
    def _run(self, message: Message) -> None:
        parse, handle = self.flows[message.queue]
        body = message.body.encode()
        late = LATE.get(message.queue)
        tell = None if late is None else lambda parsed, since: late(parsed, since, self.connections)
        self.delivery.run(Queue(message.queue), body, parse, lambda parsed: handle(parsed, self.connections), tell)

    def _restart(self) -> None:
        self.ports.restart()
        self.delivery = Delivery(self.connections.queues, self.app_clock)

    def sweep(self, look_back: timedelta = timedelta(days=3650)) -> None:
        """What the timer does. A sweep that fails is lost; the next one comes."""
        try:
            sweep.handle(self.connections, look_back)
        except Exception:  # noqa: BLE001 - as the host does with a timer's function
            logging.getLogger("cosell.sweep").warning("sweep failed")

    # time -----------------------------------------------------------------------------------------------------------
    def work_until(self, moment: datetime) -> None:
        """Let the connector work until then."""
        with self.log:
            while self.clock() < moment:
                self.host.work(lambda: self.clock() < moment)
                if self.clock() < moment:
                    due = self.queues.next_due_at()
                    self.clock.set(min(moment, max(due, self.clock())) if due else moment)

    def drain(self, most: int | None = None) -> None:
        """Until no message is left but the parked ones; `most` deliveries at most."""
        limit = self.host.counts["deliveries"] + (most or _ENOUGH * (self.feeds.emitted + 200))
        with self.log:
            while True:
                self.host.work(lambda: self.host.counts["deliveries"] <= limit)
                if self.host.counts["deliveries"] > limit:
                    self.journal.violation("I5", "the system does not come to rest")
                    return
                due = self.queues.next_due_at()
                if due is None:
                    return
                self.clock.set(max(due, self.clock()))

    @property
    def parked(self) -> list[messages.ParkedMessage]:
        return self.queues.parked()
