"""The handlers on fakes, for one deal that can be spoilt. Not a test itself."""

from __future__ import annotations

from dataclasses import dataclass

from shared import mapping_file
from shared.connections import Connections
from shared.delivery import Delivery
from shared.messages import Hint, Queue, parse
from shared.settings import Settings, load
from shared.terms_source import read_terms
from tests.fakes.clock import VirtualClock
from tests.fakes.dataverse import FakeDataverse
from tests.fakes.partner_center import OWN_ORGANIZATION, FakePartnerCenter
from tests.fakes.registrations import FakeRegistrations
from tests.fakes.service_bus import FakeQueues

ENVIRONMENT: dict[str, object] = {
    "PC_TENANT_ID": "a6f6d8a5-14bb-4d40-8d3e-6a3b3f1f0001",
    "PC_CLIENT_ID": "a6f6d8a5-14bb-4d40-8d3e-6a3b3f1f0002",
    "PC_CLIENT_SECRET": "planted-client-secret",
    "PC_ORGANIZATION_ID": OWN_ORGANIZATION,
    "KEY_VAULT_URL": "https://kv-cosell.vault.example",
    "DATAVERSE_URL": "https://contoso.crm.example",
    "ServiceBusConnection__fullyQualifiedNamespace": "sb-cosell.servicebus.example",
}


def settings(**changes: object) -> Settings:
    """Valid settings; names as in the environment."""
    return load({**ENVIRONMENT, **changes})


@dataclass(frozen=True)
class Bench:
    """Fakes, and what the handlers are given."""

    clock: VirtualClock
    dataverse: FakeDataverse
    partner_center: FakePartnerCenter
    queues: FakeQueues
    delivery: Delivery
    connections: Connections

    def deliver(self, queue: Queue, hint: Hint, handle: object) -> None:
        """One hint through the delivery, as a function would."""
        assert callable(handle)
        self.delivery.run(queue, hint.to_json().encode(), parse, lambda found: handle(found, self.connections))


def bench(**changes: object) -> Bench:
    """A new world without deals; `changes` are settings."""
    clock, chosen = VirtualClock(), settings(**changes)
    dataverse, queues = FakeDataverse(clock), FakeQueues(clock)
    partner_center = FakePartnerCenter(clock)
    connections = Connections(
        partner_center=partner_center,
        dataverse=dataverse,
        queues=queues,
        registrations=FakeRegistrations(clock),
        clock=clock,
        terms=read_terms(chosen, mapping_file.load(chosen), dataverse),
    )
    return Bench(clock, dataverse, partner_center, queues, Delivery(queues, clock), connections)
