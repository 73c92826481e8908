"""The secret store: Azure Key Vault through azure-keyvault-secrets.

Holds Partner Center's refresh token, which `shared.clients.tokens` reads and replaces. Values never appear in errors.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.keyvault.secrets import SecretClient

from shared.clients import failures
from shared.clients.failures import Vendor
from shared.errors import ConfigurationError, NotFound

_VENDOR = Vendor(
    "KV",
    "Key Vault",
    sign_in="Check the managed identity of the app.",
    access="Give the app's identity the role Key Vault Secrets Officer on this vault.",
)
_VAULTS = (".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net")


class KeyVault:
    """`shared.ports.SecretStore` on one vault. `pause_s` scales the pauses between the tries."""

    def __init__(
        self, vault_url: str, credential: TokenCredential, *, ca_bundle: str | None = None, pause_s: float = 0.8
    ) -> None:
        self._client = SecretClient(
            vault_url,
            credential,
            # The vault's challenge names its own domain; a sandbox's vault cannot be below Microsoft's.
            verify_challenge_resource=(urlsplit(vault_url).hostname or "").endswith(_VAULTS),
            connection_verify=ca_bundle or True,
            connection_timeout=5,
            read_timeout=10,
            retry_total=2,
            retry_backoff_factor=pause_s,
            permit_redirects=False,  # the token is for this vault
        )

    def get(self, name: str) -> str:
        """The newest version's value; `ConfigurationError` when there is none."""
        try:
            value = self._client.get_secret(name).value
        except AzureError as error:
            problem = failures.from_exception(error, _VENDOR, repeatable=True)
            raise (_missing(name) if isinstance(problem, NotFound) else problem) from None
        if not value:
            raise _missing(name)
        return value

    def set(self, name: str, value: str) -> None:
        """A new version of the secret."""
        try:
            self._client.set_secret(name, value)
        except AzureError as error:
            raise failures.from_exception(error, _VENDOR, repeatable=True) from None


def _missing(name: str) -> ConfigurationError:
    return ConfigurationError(
        "KV_SECRET_MISSING",
        f"Key Vault holds no secret named {name}.",
        "For Partner Center's refresh token run: python -m admin consent.",
    )
