"""The sandbox's simulators as real processes, started when first needed, and the connector's real clients for them.

One `Cloud` per test process. The clients are built as `shared.app` builds them; a test that needs odd ones builds
its own from the same pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

from sandbox.clients import connection
from sandbox.process import PartProcess
from shared.clients.dataverse import DATAVERSE, DataverseClient, dataverse_headers
from shared.clients.http import Answer, HttpClient
from shared.clients.key_vault import KeyVault
from shared.clients.limiter import Limiter
from shared.clients.partner_center import PARTNER_CENTER, PartnerCenterClient, referral_headers
from shared.clients.service_bus import ServiceBusQueues, client_from_connection_string
from shared.clients.tokens import AppRegistration, AzureTokens, PartnerCenterTokens, azure_credential
from shared.clients.webhook_registrations import WEBHOOK_HOST, WebhookRegistrationsClient, webhook_headers
from tests.contract import published_bodies
from tests.sandbox.known_keys import create_layout


class CheckedHttpClient(HttpClient):
    """Holds every body for the Referrals API against the vendor's published contract before it is sent."""

    def request(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None) -> Answer:
        if path.startswith("/v1.0/engagements/referrals"):
            published_bodies.check(method, body)
        return super().request(method, path, headers=headers, body=body)


def now() -> datetime:
    return datetime.now(UTC)


class Cloud:
    """The simulators of one state directory."""

    def __init__(self, state: Path) -> None:
        self.layout = create_layout(state)
        self.ca_bundle = str(self.layout.ca_bundle)
        self._parts: dict[str, PartProcess] = {}
        self._http = connection(self.layout)
        self._to_close: list[ServiceBusQueues] = []

    def need(self, *names: str) -> None:
        """Start these parts unless they run already."""
        new = [PartProcess(name, self.layout.state) for name in names if name not in self._parts]
        for part in new:
            part.start()
            self._parts[part.name] = part
        for part in new:
            part.wait_ready()

    def part(self, name: str) -> PartProcess:
        return self._parts[name]

    def stop(self) -> None:
        self._http.close()
        for queues in self._to_close:
            queues.close()
        for part in self._parts.values():
            part.terminate()
        for part in self._parts.values():
            part.wait(10)

    def control(self, method: str, address: str, path: str, body: Any = None) -> requests.Response:
        """A request to a simulator's control surface, such as `POST /_sim/faults`."""
        answer = self._http.request(method, f"{address}/_sim{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer

    # the connector's clients ----------------------------------------------------------------------------------------
    @cached_property
    def azure_tokens(self) -> AzureTokens:
        self.need("entra")
        return AzureTokens(lambda: azure_credential(self.layout.entra_url, self.ca_bundle))

    @cached_property
    def key_vault(self) -> KeyVault:
        self.need("entra")
        credential = azure_credential(self.layout.entra_url, self.ca_bundle)
        return KeyVault(self.layout.key_vault_url, credential, ca_bundle=self.ca_bundle)

    @cached_property
    def partner_center_tokens(self) -> PartnerCenterTokens:
        return self.new_partner_center_tokens()

    def new_partner_center_tokens(self) -> PartnerCenterTokens:
        """With an empty cache."""
        app = AppRegistration(
            authority=self.layout.entra_url,
            tenant_id=self.layout.tenant_id,
            client_id=self.layout.app_client_id,
            client_secret=self.layout.app_client_secret,
            refresh_token_secret=self.layout.refresh_token_secret,
        )
        return PartnerCenterTokens(app, self.key_vault, ca_bundle=self.ca_bundle)

    @cached_property
    def dataverse(self) -> DataverseClient:
        self.need("entra", "dataverse")
        return DataverseClient(self.http("dataverse"))

    @cached_property
    def partner_center(self) -> PartnerCenterClient:
        self.need("entra", "partner_center")
        return PartnerCenterClient(self.http("partner_center"))

    def new_registrations(self) -> WebhookRegistrationsClient:
        self.need("entra", "partner_center")
        return WebhookRegistrationsClient(self.http("registrations"))

    @cached_property
    def shared_queues(self) -> ServiceBusQueues:
        self.need("broker")
        queues = ServiceBusQueues(lambda: client_from_connection_string(self.layout.service_bus_connection), now)
        self._to_close.append(queues)
        return queues

    def http(self, kind: str, **changes: Any) -> HttpClient:
        """A fresh `HttpClient`; `changes` replace its arguments."""
        made: dict[str, Any] = {
            "dataverse": {"vendor": DATAVERSE, "headers": dataverse_headers},
            "partner_center": {"vendor": PARTNER_CENTER, "headers": referral_headers},
            "registrations": {"vendor": WEBHOOK_HOST, "headers": webhook_headers},
        }[kind]
        address = self.layout.dataverse_url if kind == "dataverse" else self.layout.partner_center_url
        tokens = self.azure_tokens if kind == "dataverse" else self.partner_center_tokens
        limiter = Limiter(address, calls_per_minute=100_000, concurrency=8)
        arguments = {"tokens": tokens, "limiter": limiter, "ca_bundle": self.ca_bundle, **made, **changes}
        return CheckedHttpClient(address, **arguments)
