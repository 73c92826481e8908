"""Access tokens: azure-identity for Dataverse, Service Bus and Key Vault; a refresh token for Partner Center.

`AzureTokens` and `PartnerCenterTokens` are both a `TokenSource` of `shared.clients.http`. Partner Center's referrals
accept tokens of a signed-in user only, so a refresh token lives in the secret store, is redeemed for each audience and
is written back, when Entra replaces it, before the access token that came with it is used. Errors never quote Entra's
text beyond its error code. Renewing the consent: `python -m admin consent`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msal  # type: ignore[import-untyped]  # msal ships no types
import requests
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.identity import DefaultAzureCredential

from shared.clients import failures
from shared.clients.failures import Vendor
from shared.clients.http import Session
from shared.errors import AuthorizationError, ConfigurationError, SyncError, Unavailable
from shared.ports import SecretStore

_EARLY_S = 300.0
"""A token with less time than this left is replaced."""
_MICROSOFT_AUTHORITIES = {
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
}
ENTRA = Vendor(
    "ENTRA",
    "Microsoft Entra ID",
    sign_in="Check the managed identity of the app (locally: AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET).",
    access="Check the managed identity of the app (locally: AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET).",
)
_CONSENT = "Renew the consent of the service user: python -m admin consent."
_APP_ERRORS = {"invalid_client", "unauthorized_client", "invalid_resource", "invalid_scope"}


def is_microsoft_authority(url: str) -> bool:
    """Whether an authority is Entra ID itself; others (a sandbox) are not in Microsoft's instance discovery."""
    return urlsplit(url).hostname in _MICROSOFT_AUTHORITIES


def azure_credential(authority: str, ca_bundle: str | None) -> DefaultAzureCredential:
    """The app's own identity: environment, workload or managed identity, on a developer's machine the Azure CLI."""
    return DefaultAzureCredential(
        authority=authority,
        disable_instance_discovery=not is_microsoft_authority(authority),
        connection_verify=ca_bundle or True,
        connection_timeout=5,
        read_timeout=10,
        retry_total=2,  # the SDK's ten would hold a worker for minutes; the retry ladder waits better
        exclude_shared_token_cache_credential=True,
        exclude_visual_studio_code_credential=True,
        exclude_powershell_credential=True,
        exclude_developer_cli_credential=True,
        exclude_broker_credential=True,
    )


class AzureTokens:
    """Tokens of an azure-identity credential, which caches them. `renew` starts over with a new credential."""

    def __init__(self, make: Callable[[], TokenCredential]) -> None:
        self._make = make
        self._credential = make()
        self._lock = threading.Lock()
        self._last: dict[str, str] = {}

    def token(self, scope: str) -> str:
        try:
            self._last[scope] = self._credential.get_token(scope).token
        except AzureError as error:
            raise failures.from_exception(error, ENTRA, repeatable=True) from None
        return self._last[scope]

    def renew(self, scope: str, refused: str) -> None:
        with self._lock:
            if self._last.get(scope) == refused:
                self._credential = self._make()
                del self._last[scope]


@dataclass(frozen=True)
class AppRegistration:
    """The confidential client that redeems the refresh token."""

    authority: str
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token_secret: str
    """Name of the refresh token in the secret store."""


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    expires_at_s: float


class PartnerCenterTokens:
    """User tokens for Partner Center's hosts, one per audience, from one refresh token."""

    def __init__(
        self,
        app: AppRegistration,
        secrets: SecretStore,
        *,
        ca_bundle: str | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._secrets = app, secrets
        self._session = Session(ca_bundle)
        self._now = now
        self._lock = threading.Lock()
        self._tokens: dict[str, _Token] = {}
        self._unsaved: str | None = None

    def token(self, scope: str) -> str:
        """`AuthorizationError` when a person must consent again, `Unavailable` when Entra or the store is down."""
        token = self._tokens.get(scope)
        if token is None or token.expires_at_s - self._now() < _EARLY_S:
            with self._lock:  # one thread redeems, the others find its token
                token = self._tokens.get(scope)
                if token is None or token.expires_at_s - self._now() < _EARLY_S:
                    token = self._tokens[scope] = self._redeem(scope)
        return token.value

    def renew(self, scope: str, refused: str) -> None:
        with self._lock:
            token = self._tokens.get(scope)
            if token is not None and token.value == refused:
                del self._tokens[scope]

    def _redeem(self, scope: str) -> _Token:
        self._save()
        refresh_token = self._secrets.get(self._app.refresh_token_secret)
        answer = self._ask(refresh_token, scope)
        if answer.get("error") == "invalid_grant":
            # Another instance may have replaced it between our reading and our asking.
            newer = self._secrets.get(self._app.refresh_token_secret)
            if newer != refresh_token:
                refresh_token, answer = newer, self._ask(newer, scope)
        if "access_token" not in answer:
            raise _refused(answer)
        replaced = answer.get("refresh_token")
        if isinstance(replaced, str) and replaced != refresh_token:
            self._unsaved = replaced
            self._save()
        return _Token(str(answer["access_token"]), self._now() + float(answer.get("expires_in", 0)))

    def _save(self) -> None:
        """Keep a replaced refresh token in memory until the store has it: the old one may be worth nothing by then."""
        if self._unsaved is not None:
            self._secrets.set(self._app.refresh_token_secret, self._unsaved)
            self._unsaved = None

    def _ask(self, refresh_token: str, scope: str) -> Mapping[str, Any]:
        try:
            client = msal.ConfidentialClientApplication(
                self._app.client_id,
                client_credential=self._app.client_secret,
                authority=f"{self._app.authority}/{self._app.tenant_id}",
                instance_discovery=is_microsoft_authority(self._app.authority),
                http_client=self._session,
            )
            answer: Mapping[str, Any] = client.acquire_token_by_refresh_token(refresh_token, [scope])
        except requests.RequestException as error:
            raise failures.from_exception(error, ENTRA, repeatable=True) from None
        except msal.exceptions.MsalError:  # its word for HTTP 5xx
            raise Unavailable(
                "ENTRA_UNAVAILABLE", "Microsoft Entra ID is out of order.", "It is tried again."
            ) from None
        except ValueError:  # msal's word for an authority that answers nothing usable
            raise Unavailable(
                "ENTRA_UNREADABLE",
                f"Microsoft Entra ID gave no usable configuration for the tenant {self._app.tenant_id}.",
                "Check PC_TENANT_ID and AZURE_AUTHORITY_HOST; it is tried again.",
            ) from None
        return answer


def _refused(answer: Mapping[str, Any]) -> SyncError:
    error = str(answer.get("error") or "unknown")
    numbers = [str(number) for number in answer.get("error_codes") or []]
    reason = f"{error} {' '.join(f'AADSTS{number}' for number in numbers)}".strip()
    if error in _APP_ERRORS:
        return ConfigurationError(
            "PC_APP_REGISTRATION",
            f"Microsoft Entra ID does not accept the app registration for Partner Center ({reason}).",
            "Check PC_CLIENT_ID, PC_CLIENT_SECRET (it may have expired), the API permissions and PC_BASE_URL.",
        )
    if error in ("temporarily_unavailable", "server_error", "unknown"):
        return Unavailable("ENTRA_UNAVAILABLE", f"Microsoft Entra ID gave no token ({reason}).", "It is tried again.")
    return AuthorizationError(
        "PC_CONSENT", f"The sign-in of Partner Center's service user is no longer valid ({reason}).", _CONSENT
    )
