"""Secrets in memory."""

from __future__ import annotations

from shared.errors import ConfigurationError
from tests.fakes.calls import Calls, port_call


class FakeSecretStore(Calls):
    """`shared.ports.SecretStore`; keeps all versions."""

    port = "secrets"

    def __init__(self, **secrets: str) -> None:
        super().__init__()
        self.versions: dict[str, list[str]] = {name: [value] for name, value in secrets.items()}

    @port_call
    def get(self, name: str) -> str:
        if name not in self.versions:
            raise ConfigurationError("KV_SECRET_MISSING", f"Key Vault holds no secret named {name}.")
        return self.versions[name][-1]

    @port_call
    def set(self, name: str, value: str) -> None:
        self.versions.setdefault(name, []).append(value)
