"""`python -m admin consent`: the service user signs in once more, and the refresh token goes into Key Vault.

A person opens the address shown, on any device, and signs in as the service user with a second factor. The token is
never printed. Afterwards Partner Center is asked for a page of referrals, so that a missing role or factor shows now.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import requests
from msal.oauth2cli.oauth2 import Client  # type: ignore[import-untyped]  # msal ships no types

from shared.app import App
from shared.clients import failures
from shared.clients.http import Session
from shared.clients.key_vault import KeyVault
from shared.clients.tokens import ENTRA, azure_credential
from shared.errors import AuthorizationError
from shared.settings import Settings


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command."""
    parser = commands.add_parser("consent", help="sign the service user in again and keep the new refresh token")
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace, connect: Callable[[], App]) -> int:
    """Ask a person to sign in; `AuthorizationError` when that was declined, took too long, or is not enough."""
    app = connect()
    chosen = app.settings
    credential = azure_credential(chosen.azure_authority_host, chosen.tls_ca_bundle)
    vault = KeyVault(chosen.key_vault_url, credential, ca_bundle=chosen.tls_ca_bundle)
    vault.set(chosen.pc_refresh_token_secret, _sign_in(chosen))
    print(f"The refresh token is kept in {chosen.key_vault_url} as {chosen.pc_refresh_token_secret}.")
    list(islice(app.partner_center.updated_since(datetime.now(UTC) - timedelta(hours=1)), 1))
    print("Partner Center accepts it. Messages that waited continue within a minute.")
    return 0


def _sign_in(chosen: Settings) -> str:
    """The refresh token of whoever signs in; the app identifies itself, as it does when it redeems the token."""
    base = f"{chosen.azure_authority_host}/{chosen.pc_tenant_id}/oauth2/v2.0"
    client = Client(
        {"device_authorization_endpoint": f"{base}/devicecode", "token_endpoint": f"{base}/token"},
        chosen.pc_client_id,
        client_secret=chosen.pc_client_secret.get_secret_value(),
        http_client=Session(chosen.tls_ca_bundle),
    )
    try:
        flow = client.initiate_device_flow(scope=[f"{chosen.pc_base_url}/.default", "offline_access"])
        if "user_code" not in flow:
            raise _refused(flow)
        print(f"Open {flow['verification_uri']}, enter the code {flow['user_code']}", flush=True)
        print("and sign in as the service user of Partner Center, with a second factor. Waiting …", flush=True)
        answer = client.obtain_token_by_device_flow(flow)
    except requests.RequestException as error:
        raise failures.from_exception(error, ENTRA, repeatable=True) from None
    if not isinstance(answer.get("refresh_token"), str):
        raise _refused(answer)
    return str(answer["refresh_token"])


def _refused(answer: Mapping[str, Any]) -> AuthorizationError:
    numbers = "".join(f" AADSTS{number}" for number in answer.get("error_codes") or ())
    return AuthorizationError(
        "PC_CONSENT",
        f"The sign-in did not give a refresh token ({answer.get('error') or 'no reason given'}{numbers}).",
        "Nothing was changed. Sign in within the time allowed, and check PC_TENANT_ID, PC_CLIENT_ID, PC_CLIENT_SECRET.",
    )
