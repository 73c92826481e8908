"""The whole sandbox as one object: start its parts, kill and restart them, wait until nothing moves any more.

    with Sandbox(Layout.create(directory)) as sandbox:
        sandbox.register_webhook()
        sandbox.seller.deal(...)
        sandbox.wait_idle()

The command line (`sandbox.__main__`) and the acceptance tests use it alike. It never looks into the parts: they are
child processes (`sandbox.process`), addressed by their own interfaces (`sandbox.clients`, `sandbox.idle`).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Sequence
from functools import cached_property
from types import TracebackType
from typing import Self

import requests

from sandbox import authority
from sandbox.clients import PartnerCenterPortal, Seller, connection
from sandbox.idle import wait_idle
from sandbox.layout import Layout
from sandbox.process import READY_WITHIN_S, PartProcess

_STARTS = (("broker", "entra", "partner_center", "dataverse"), ("host", "page"))
"""Parts of one group start together; the simulators need not wait for one another."""
_STOPS = (("host", "page"), ("entra", "partner_center", "dataverse"), ("broker",))
"""Those that use others first, so that they can finish what they do."""
PARTS = tuple(name for group in _STARTS for name in group)
_PORTS_OF = {"broker": ("broker", "broker_admin")}
WEBHOOK_EVENTS = ("referral-created", "referral-updated", "related-referral-created", "related-referral-updated")


class PortInUse(Exception):
    """Something else listens on a port of the layout."""

    def __init__(self, name: str, port: int) -> None:
        option = f"--port-{name.replace('_', '-')}"
        super().__init__(
            f"Port {port}, meant for {name}, is in use; stop what listens there or choose another: {option}."
        )


class NotRegistered(Exception):
    """The app could not register its webhook with the simulated Partner Center."""


def app_settings(layout: Layout, **overrides: object) -> dict[str, str]:
    """Every app setting that the connector needs in this sandbox; `overrides` by name, None leaves one out."""
    settings: dict[str, object] = {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "PC_BASE_URL": layout.partner_center_url,
        "PC_WEBHOOK_BASE_URL": layout.partner_center_url,
        "PC_TENANT_ID": layout.tenant_id,
        "PC_CLIENT_ID": layout.app_client_id,
        "PC_CLIENT_SECRET": layout.app_client_secret,
        "PC_REFRESH_TOKEN_SECRET": layout.refresh_token_secret,
        "PC_ORGANIZATION_ID": layout.organization_id,
        "PC_PARTNER_ID": layout.partner_id,
        "PC_CALLS_PER_MINUTE": 6000,
        "KEY_VAULT_URL": layout.key_vault_url,
        "DATAVERSE_URL": layout.dataverse_url,
        "ServiceBusConnection": layout.service_bus_connection,
        "AZURE_AUTHORITY_HOST": layout.entra_url,
        "AZURE_TENANT_ID": layout.tenant_id,
        "AZURE_CLIENT_ID": layout.app_client_id,
        "AZURE_CLIENT_SECRET": layout.app_client_secret,
        "TLS_CA_BUNDLE": layout.ca_bundle,
        "WEBHOOK_URL": f"{layout.host_url}/api/partner_center_webhook",
        "WEBHOOK_CERTIFICATE_URLS": layout.certificate_url,
        "WEBHOOK_TRUST_BUNDLE": layout.webhook_trust_bundle,
        "DEFAULT_TEAM_PHONE": "+47 55 00 00 00",
        # Twice what an event may have: the host reads a body whole before the function can refuse it.
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": 131_072,
        # The worker's pool serves every queue's slots and HTTP; its default of cores + 4 threads would be too few.
        "PYTHON_THREADPOOL_THREAD_COUNT": 32,
        "DEBOUNCE_SECONDS": 0.3,
        "SOLUTION_GRACE_SECONDS": 5,
        "TERMINAL_GRACE_MINUTES": 0.05,
    }
    return {name: str(value) for name, value in (settings | overrides).items() if value is not None}


class Sandbox:
    """`settings` overrides app settings; `parts` leaves parts out (a test of the flows needs no page)."""

    def __init__(
        self, layout: Layout, *, settings: dict[str, object] | None = None, parts: Sequence[str] = PARTS
    ) -> None:
        self.layout = layout
        self._settings = app_settings(layout, **(settings or {}))
        # A developer's own AZURE_CLIENT_ID must not reach the host, where the environment wins over the settings file.
        self._parts = {
            name: PartProcess(name, layout.state, without=frozenset(self._settings)) for name in PARTS if name in parts
        }

    @cached_property
    def seller(self) -> Seller:
        """The seller in Dynamics 365; closed with the sandbox."""
        return Seller(self.layout)

    @cached_property
    def portal(self) -> PartnerCenterPortal:
        """The users of Partner Center; closed with the sandbox."""
        return PartnerCenterPortal(self.layout)

    @cached_property
    def _http(self) -> requests.Session:
        """The supervisor's own connection to the parts."""
        return connection(self.layout)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, ready_within_s: float = READY_WITHIN_S) -> None:
        """Start every part and return when all are ready.

        `PortInUse` before anything was started; `PartFailed` names the part and its log, and stops the rest.
        """
        for name in self._parts:
            for port_name in _PORTS_OF.get(name, (name,)):
                _require_free(port_name, self.layout.ports[port_name])
        authority.ensure(self.layout)
        self._write_settings()
        try:
            for group in map(self._chosen, _STARTS):
                for part in group:
                    part.start()
                for part in group:
                    part.wait_ready(ready_within_s)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every part. May be repeated."""
        self.seller.close()  # a server waits a while for clients that hold their connection open
        self.portal.close()
        self._http.close()
        for group in map(self._chosen, _STOPS):
            for part in group:
                part.terminate()
            for part in group:
                part.wait()

    def kill(self, part: str) -> None:
        """End a part as a crash would (SIGKILL)."""
        self._parts[part].kill()

    def restart(self, part: str) -> None:
        """Start a part again at its old address, stopping it first when it runs."""
        process = self._parts[part]
        process.terminate()
        process.wait()
        process.start()
        process.wait_ready()

    def restart_the_ended(self) -> list[str]:
        """Start every part again that ended by itself or was killed from outside; their names."""
        ended = [name for name, part in self._parts.items() if part.pid is None]
        for name in ended:
            self.restart(name)
        return ended

    def pids(self) -> dict[str, int]:
        """Part → process id, for those that run."""
        return {name: part.pid for name, part in self._parts.items() if part.pid is not None}

    def register_webhook(self) -> None:
        """Register the webhook through the app's own function; `NotRegistered` with its answer when it refuses."""
        answer = self._http.post(
            f"{self.layout.host_url}/api/partner_center_webhook_registration",
            headers={"x-functions-key": self.layout.host_key},
            json={"url": self._settings["WEBHOOK_URL"], "events": WEBHOOK_EVENTS, "overwrite": True},
            timeout=60,
        )
        if not answer.ok:
            raise NotRegistered(
                f"The webhook could not be registered ({answer.status_code}): {answer.text.strip()[:500]} "
                f"The reason is in {self.layout.state / 'logs' / 'host.log'}."
            )

    def wait_idle(self, within_s: float = 30.0, *, scheduled: bool = True) -> None:
        """Return when nothing moves any more; `StillBusy` (a TimeoutError) says what does. See `sandbox.idle`."""
        wait_idle(self.layout, self._http, within_s, scheduled=scheduled)

    def _chosen(self, names: Iterable[str]) -> list[PartProcess]:
        return [self._parts[name] for name in names if name in self._parts]

    def _write_settings(self) -> None:
        document = {"IsEncrypted": False, "Values": self._settings}
        path = self.layout.state / "local.settings.json"
        path.write_text(json.dumps(document, indent=2), encoding="utf-8")


def _require_free(name: str, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            raise PortInUse(name, port) from None
