"""The composition root: the only place that builds clients, and the one object the functions call.

Built on first use, so that importing `function_app` stays cheap and a wrong setting is one clear sentence in the log of
the invocation that needed it. Terms that depend on Dataverse (environment variables, currencies, column lengths,
the mapping's columns) are read then, and again every few minutes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property

from azure.core.credentials import TokenCredential
from azure.servicebus import ServiceBusClient
from pydantic import ValidationError

from shared import mapping_file, telemetry
from shared import settings as settings_module
from shared.clients.certificates import HttpsCertificates
from shared.clients.dataverse import DATAVERSE, DataverseClient, dataverse_headers
from shared.clients.failures import Vendor
from shared.clients.http import HttpClient, TokenSource, correlation
from shared.clients.key_vault import KeyVault
from shared.clients.limiter import Limiter
from shared.clients.notifications import WebhookNotifications
from shared.clients.partner_center import PARTNER_CENTER, PartnerCenterClient, referral_headers
from shared.clients.service_bus import ServiceBusQueues, client_for_namespace, client_from_connection_string
from shared.clients.tokens import AppRegistration, AzureTokens, PartnerCenterTokens, azure_credential
from shared.clients.webhook_registrations import WEBHOOK_HOST, WebhookRegistrationsClient, webhook_headers
from shared.connections import Connections
from shared.delivery import Delivery, foreseen
from shared.domain.classify import InboundPolicy
from shared.dry_run import DryDataverse, DryPartnerCenter
from shared.errors import ConfigurationError
from shared.handlers import reminders, sweep, watch
from shared.messages import Queue
from shared.ports import NoNotifications, Notifications
from shared.redaction import secrets_in
from shared.settings import Settings
from shared.terms_source import read_terms
from shared.trust import WebhookTrust, trust_bundle
from shared.webhook.policy import RESOURCE_ORIGINS, TrustPolicy

TERMS_LAST_S = 300
"""How long what was read from Dataverse is used; an administrator's change is in force after that."""
_DATAVERSE_CALLS_PER_MINUTE = 1000
_CONCURRENT_CALLS = 4


def utc_now() -> datetime:
    return datetime.now(UTC)


class App:
    """One process's wiring; thread-safe."""

    def __init__(self, values: Settings) -> None:
        self.settings = values
        self._lock = threading.Lock()
        self._connections: Connections | None = None
        self._read_at = 0.0

    # -- what the functions use --------------------------------------------------------------------------------------
    @property
    def connections(self) -> Connections:
        """Ports and terms; the terms no older than `TERMS_LAST_S`."""
        with self._lock:
            if self._connections is None or time.monotonic() - self._read_at > TERMS_LAST_S:
                self._connections = self._connect()
                self._read_at = time.monotonic()
            return self._connections

    def run[T](
        self,
        queue: Queue,
        body: bytes,
        parse: Callable[[str], T],
        handle: Callable[[T, Connections], str],
        late: Callable[[T, datetime, Connections], None] | None = None,
    ) -> None:
        """One message through one handler; `shared.delivery` says what becomes of it, and when `late` is told."""

        def work(parsed: T) -> str:
            known = getattr(parsed, "correlation_id", None)
            token = correlation.set(str(known) if known else None)
            try:
                return handle(parsed, self.connections)
            finally:
                correlation.reset(token)

        tell = None if late is None else lambda parsed, since: late(parsed, since, self.connections)
        self.delivery.run(queue, body, parse, work, tell)

    def sweep(self) -> None:
        """Compare everything changed lately on either side; hints for what differs."""
        with foreseen():
            sweep.handle(self.connections, timedelta(hours=self.settings.look_back_hours))

    def compare(self) -> None:
        """Compare every open deal, and what changed at Partner Center in the last weeks; hints for what differs."""
        with foreseen():
            look_back = timedelta(days=self.settings.nightly_look_back_days)
            sweep.handle(self.connections, look_back, all_open_deals=True)

    def remind(self) -> None:
        """Remind sellers of inbound deals that are about to expire."""
        with foreseen():
            reminders.handle(self.connections)

    def watch(self) -> None:
        """Alert when the webhook's registration is not ours or it believes nobody; heal what the settings allow."""
        with foreseen():
            watch.handle(self.registrations, self.settings, self.trust)

    @cached_property
    def queues(self) -> ServiceBusQueues:
        return ServiceBusQueues(self.connect_service_bus, utc_now)

    @cached_property
    def delivery(self) -> Delivery:
        return Delivery(self.queues, utc_now, self.notifications)

    @cached_property
    def notifications(self) -> Notifications:
        chosen = self.settings
        if chosen.notify_url is None:
            return NoNotifications()
        return WebhookNotifications(chosen.notify_url.get_secret_value(), ca_bundle=chosen.tls_ca_bundle)

    @cached_property
    def trust(self) -> WebhookTrust:
        chosen = self.settings
        certificates = HttpsCertificates(chosen.webhook_certificate_urls, ca_bundle=chosen.tls_ca_bundle)
        try:
            policy = TrustPolicy(
                bundle=trust_bundle(chosen.webhook_trust_bundle),
                certificate_urls=chosen.webhook_certificate_urls,
                host_name=chosen.webhook_signer,
                max_age=timedelta(days=chosen.webhook_max_age_days),
                resource_origins=tuple(
                    dict.fromkeys((*RESOURCE_ORIGINS, chosen.pc_base_url, chosen.pc_webhook_base_url))
                ),
            )
        except ValidationError as error:
            raise ConfigurationError(
                "WEBHOOK_TRUST",
                f"The webhook's settings cannot be used: {error.errors(include_input=False)[0]['msg']}.",
                "Correct WEBHOOK_CERTIFICATE_URLS and WEBHOOK_TRUST_BUNDLE: docs/security-webhook.md.",
            ) from None
        return WebhookTrust(certificates, utc_now, policy)

    # -- building ----------------------------------------------------------------------------------------------------
    def connect_service_bus(self) -> ServiceBusClient:
        """A client of its own; whoever asks closes it."""
        chosen = self.settings
        if chosen.service_bus_connection is not None:
            return client_from_connection_string(chosen.service_bus_connection.get_secret_value())
        namespace = chosen.service_bus_namespace or ""
        return client_for_namespace(namespace, self._azure(), ca_bundle=chosen.tls_ca_bundle)

    def _azure(self) -> TokenCredential:
        return azure_credential(self.settings.azure_authority_host, self.settings.tls_ca_bundle)

    @cached_property
    def dataverse(self) -> DataverseClient:
        limiter = Limiter("Dataverse", calls_per_minute=_DATAVERSE_CALLS_PER_MINUTE, concurrency=_CONCURRENT_CALLS)
        http = HttpClient(
            self.settings.dataverse_url,
            vendor=DATAVERSE,
            tokens=AzureTokens(self._azure),
            limiter=limiter,
            headers=dataverse_headers,
            ca_bundle=self.settings.tls_ca_bundle,
        )
        return DataverseClient(http)

    @cached_property
    def _partner_center_tokens(self) -> TokenSource:
        chosen = self.settings
        vault = KeyVault(chosen.key_vault_url, self._azure(), ca_bundle=chosen.tls_ca_bundle)
        registration = AppRegistration(
            authority=chosen.azure_authority_host,
            tenant_id=chosen.pc_tenant_id,
            client_id=chosen.pc_client_id,
            client_secret=chosen.pc_client_secret.get_secret_value(),
            refresh_token_secret=chosen.pc_refresh_token_secret,
        )
        return PartnerCenterTokens(registration, vault, ca_bundle=chosen.tls_ca_bundle)

    @cached_property
    def partner_center(self) -> PartnerCenterClient:
        return PartnerCenterClient(self._partner_http(self.settings.pc_base_url, PARTNER_CENTER, referral_headers))

    @cached_property
    def registrations(self) -> WebhookRegistrationsClient:
        return WebhookRegistrationsClient(
            self._partner_http(self.settings.pc_webhook_base_url, WEBHOOK_HOST, webhook_headers)
        )

    def _partner_http(self, base_url: str, vendor: Vendor, headers: Callable[[str], Mapping[str, str]]) -> HttpClient:
        limiter = Limiter(
            vendor.name, calls_per_minute=self.settings.pc_calls_per_minute, concurrency=_CONCURRENT_CALLS
        )
        return HttpClient(
            base_url,
            vendor=vendor,
            tokens=self._partner_center_tokens,
            limiter=limiter,
            headers=headers,
            ca_bundle=self.settings.tls_ca_bundle,
        )

    def _connect(self) -> Connections:
        chosen = self.settings.with_dataverse(self.dataverse.environment_variables("cosell_"))
        mapping = mapping_file.load(chosen)
        dry = chosen.dry_run
        return Connections(
            partner_center=DryPartnerCenter(self.partner_center) if dry else self.partner_center,
            dataverse=DryDataverse(self.dataverse) if dry else self.dataverse,
            dry_run=dry,
            queues=self.queues,
            registrations=self.registrations,
            clock=utc_now,
            notifications=self.notifications,
            terms=read_terms(chosen, mapping, self.dataverse),
            inbound=InboundPolicy(bool(chosen.sync_co_sell_only), chosen.sync_leads, chosen.sync_private_deals),
            default_owner_id=chosen.default_owner_id,
            review_inbound=chosen.inbound_mode == "review",
            recreate_missing=chosen.crm_id_not_found_policy == "recreate",
            decline_deleted=chosen.delete_policy == "decline",
            brake_closings_per_hour=chosen.brake_closings_per_hour,
            debounce_s=chosen.debounce_seconds,
            create_lease_s=chosen.create_lease_seconds,
        )


_lock = threading.Lock()
_app: App | None = None


def connector() -> App:
    """The process's app, made from the environment on first use; `ConfigurationError` says what is wrong with it."""
    global _app
    with _lock:
        if _app is None:
            chosen = settings_module.load(os.environ)
            telemetry.configure(secrets_in(chosen))
            _app = App(chosen)
        return _app
