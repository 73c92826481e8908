"""Where everything of one sandbox is: ports, addresses, identities, files. Written once, read by every process.

`Layout.create` picks free ports and writes `<state>/sandbox.json`; each process starts with `--state DIR` and reads it,
so a killed process comes back at the same address. Credentials here are public and worth nothing outside loopback.
"""

from __future__ import annotations

import json
import socket
import uuid
from pathlib import Path

from pydantic import BaseModel, ConfigDict

PARTS = ("broker", "broker_admin", "entra", "partner_center", "dataverse", "host", "page")
QUEUES = (
    "partner-center-events",
    "microsoft-referral-updates",
    "dynamics-365-opportunities",
    "dynamics-365-solutions",
    "dynamics-365-to-partner-center",
    "create-cosell-referral",
    "parked",
)
LONG_MEMORIES_S = {"parked": 7 * 86_400}
"""Queues whose duplicate detection remembers message ids longer than the others'."""


class Layout(BaseModel):
    """One sandbox. All addresses are on loopback; HTTP simulators speak TLS with the sandbox's own authority."""

    model_config = ConfigDict(frozen=True)

    state: Path
    ports: dict[str, int]
    tenant_id: str = "9d1f6a0e-52c4-4a53-8b0a-6a3f3f6a1b01"
    organization_id: str = "5b8e2c1e-0f3a-4c55-9d0b-2a7f6f0e9c11"
    """The partner's organisation in Partner Center."""
    dataverse_organization_id: str = "5f0d9c3e-2a41-4b6e-9c1d-8a7b6c5d4e3f"
    partner_id: str = "4862210"
    app_client_id: str = "c3a1d7f4-0b7e-4d0c-9a53-3f1f6b2d9e70"
    """The connector's app registration: application user in Dataverse, confidential client for Partner Center."""
    app_client_secret: str = "sandbox-app-secret"
    app_user_id: str = "9a3e5c70-5147-f111-bec6-000d3a5b7c21"
    """systemuserid of the connector in Dataverse."""
    seller_user_id: str = "44c7d9b2-1e3a-f011-877b-6045bd0a1e55"
    service_user: str = "cosell-service@fjordvik.example"
    """The Partner Center user behind the refresh token (Referrals admin, MFA)."""
    refresh_token_secret: str = "partner-center-refresh-token"
    """Name of the Key Vault secret that holds the refresh token."""
    host_key: str = "sandbox-host-key"
    """Function key of the local host."""

    @classmethod
    def create(cls, state: Path, **ports: int) -> Layout:
        """A new layout in `state` (made if need be); ports not named are free ones."""
        state = state.resolve()
        state.mkdir(parents=True, exist_ok=True)
        chosen = {part: ports.get(part) or _free_port() for part in PARTS}
        layout = cls(state=state, ports=chosen)
        (state / "sandbox.json").write_text(layout.model_dump_json(indent=2), encoding="utf-8")
        return layout

    @classmethod
    def load(cls, state: Path) -> Layout:
        """The layout of a state directory; FileNotFoundError when none was created there."""
        return cls.model_validate(json.loads((state / "sandbox.json").read_text(encoding="utf-8")))

    # addresses ------------------------------------------------------------------------------------------------------
    @property
    def entra_url(self) -> str:
        return f"https://localhost:{self.ports['entra']}"

    @property
    def key_vault_url(self) -> str:
        """Served by the Entra process; the vault's own paths begin with /secrets."""
        return self.entra_url

    @property
    def partner_center_url(self) -> str:
        """Stands for https://api.partner.microsoft.com and https://api.partnercenter.microsoft.com alike."""
        return f"https://localhost:{self.ports['partner_center']}"

    @property
    def certificate_url(self) -> str:
        return f"{self.partner_center_url}/cert/pcnotifications-dispatch.microsoft.com.cer"

    @property
    def dataverse_url(self) -> str:
        return f"https://localhost:{self.ports['dataverse']}"

    @property
    def host_url(self) -> str:
        """The Functions host speaks plain HTTP on loopback, as Core Tools does."""
        return f"http://127.0.0.1:{self.ports['host']}"

    @property
    def broker_admin_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['broker_admin']}"

    @property
    def page_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['page']}"

    @property
    def service_bus_connection(self) -> str:
        return (
            f"Endpoint=sb://127.0.0.1:{self.ports['broker']};SharedAccessKeyName=sandbox;"
            "SharedAccessKey=c2FuZGJveC1rZXk=;UseDevelopmentEmulator=true;"
        )

    # files ----------------------------------------------------------------------------------------------------------
    @property
    def ca_bundle(self) -> Path:
        """The sandbox's TLS authority (PEM)."""
        return self.state / "ca.pem"

    @property
    def server_certificate(self) -> Path:
        """Certificate and chain for `localhost` and 127.0.0.1 (PEM)."""
        return self.state / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.state / "server-key.pem"

    @property
    def token_key(self) -> Path:
        """RSA key that signs access tokens (PEM, private)."""
        return self.state / "token-key.pem"

    @property
    def webhook_trust_bundle(self) -> Path:
        """Root and intermediate that the webhook signer chains to (PEM)."""
        return self.state / "webhook-trust.pem"

    @property
    def webhook_signer(self) -> Path:
        """The signer's leaf certificate and private key in one PEM."""
        return self.state / "webhook-signer.pem"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_guid() -> str:
    """A GUID as both vendors write it."""
    return str(uuid.uuid4())
