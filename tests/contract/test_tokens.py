"""Tokens from the simulated Entra ID through the real msal and azure-identity: caching, rotation, loss of consent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import jwt
import pytest

from shared.clients.tokens import AppRegistration, AzureTokens, PartnerCenterTokens, azure_credential
from shared.errors import AuthorizationError, ConfigurationError, SyncError, Unavailable
from tests.clients.scripted_server import unused_port
from tests.contract.cloud import Cloud
from tests.fakes.clock import VirtualClock
from tests.fakes.secrets import FakeSecretStore

NAME = "partner-center-refresh-token"


class Bench:
    """Partner Center's tokens with the refresh token in a fake store, and how often Entra was asked."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.clock = VirtualClock()
        self.first = cloud.key_vault.get(cloud.layout.refresh_token_secret)
        self.store = FakeSecretStore(**{NAME: self.first})
        self.scope = f"{cloud.layout.partner_center_url}/.default"
        self.tokens = self.make()

    def make(self, **changes: str) -> PartnerCenterTokens:
        layout = self.cloud.layout
        app = AppRegistration(layout.entra_url, layout.tenant_id, layout.app_client_id, layout.app_client_secret, NAME)
        return PartnerCenterTokens(
            replace(app, **changes), self.store, ca_bundle=self.cloud.ca_bundle, now=self.clock.monotonic
        )

    def switch(self, **switches: object) -> None:
        self.cloud.control("PUT", self.cloud.layout.entra_url, "/switches", switches)

    def redeemed(self) -> int:
        path = f"/requests?method=POST&path=/{self.cloud.layout.tenant_id}/oauth2/v2.0/token"
        return len(self.cloud.control("GET", self.cloud.layout.entra_url, path).json())


@pytest.fixture
def bench(cloud: Cloud) -> Iterator[Bench]:
    cloud.need("entra")
    cloud.control("POST", cloud.layout.entra_url, "/reset")
    bench = Bench(cloud)
    cloud.control("DELETE", cloud.layout.entra_url, "/requests")
    yield bench
    cloud.control("POST", cloud.layout.entra_url, "/reset")


def claims(token: str) -> dict[str, object]:
    decoded: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return decoded


def test_a_token_is_the_service_users_and_for_its_audience(bench: Bench) -> None:
    found = claims(bench.tokens.token(bench.scope))
    assert found["aud"] == bench.cloud.layout.partner_center_url
    assert found["upn"] == bench.cloud.layout.service_user


def test_an_audience_without_permission_is_the_operators_business(bench: Bench) -> None:
    with pytest.raises(ConfigurationError) as caught:
        bench.tokens.token("https://api.nobody.example/.default")
    assert caught.value.code == "PC_APP_REGISTRATION"


def test_a_token_is_kept_until_five_minutes_before_its_end(bench: Bench) -> None:
    first = bench.tokens.token(bench.scope)
    bench.clock.advance(3600 - 301)
    assert bench.tokens.token(bench.scope) == first
    assert bench.redeemed() == 1
    bench.clock.advance(2)
    assert bench.tokens.token(bench.scope) != first
    assert bench.redeemed() == 2


def test_a_refused_token_is_forgotten_but_not_its_successor(bench: Bench) -> None:
    first = bench.tokens.token(bench.scope)
    bench.tokens.renew(bench.scope, first)
    second = bench.tokens.token(bench.scope)
    bench.tokens.renew(bench.scope, first)
    assert first != second == bench.tokens.token(bench.scope)
    assert bench.redeemed() == 2


def test_many_threads_redeem_once(bench: Bench) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(bench.tokens.token(bench.scope))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert bench.redeemed() == 1


def test_a_replaced_refresh_token_is_kept_and_used(bench: Bench) -> None:
    bench.switch(rotation="strict")
    bench.tokens.token(bench.scope)
    second = bench.store.versions[NAME][-1]
    assert second != bench.first
    # Another process, which knows nothing but the store; the first token is dead by now.
    bench.make().token(bench.scope)
    assert bench.store.versions[NAME][:2] == [bench.first, second]
    assert len(bench.store.versions[NAME]) == 3


def test_without_rotation_nothing_is_written(bench: Bench) -> None:
    bench.switch(rotation="off")
    bench.tokens.token(bench.scope)
    assert bench.store.versions[NAME] == [bench.first]


def test_no_access_token_is_used_before_the_new_refresh_token_is_safe(bench: Bench) -> None:
    bench.switch(rotation="strict")

    def vault_is_down(call: str) -> None:
        if call == "secrets.set":
            raise Unavailable("KV_UNREACHABLE", "Key Vault cannot be reached.")

    bench.store.before_call = vault_is_down
    for _ in range(2):
        with pytest.raises(Unavailable):
            bench.tokens.token(bench.scope)
    assert bench.redeemed() == 1, "the replaced token is saved before another is asked for"
    bench.store.before_call = lambda call: None
    assert bench.tokens.token(bench.scope)
    assert len(bench.store.versions[NAME]) == 3


def test_a_token_that_another_process_replaced_meanwhile_is_read_again(bench: Bench) -> None:
    bench.switch(rotation="strict")

    def rival_was_faster(call: str) -> None:
        """Between our reading of the token and our asking, another process redeemed and replaced it."""
        bench.store.after_call = lambda call: None
        bench.make().token(bench.scope)

    bench.store.after_call = rival_was_faster
    assert bench.tokens.token(bench.scope)
    assert bench.store.counts["secrets.get"] == 3
    assert bench.redeemed() == 3


def test_lost_consent_needs_a_person(bench: Bench) -> None:
    bench.cloud.control("POST", bench.cloud.layout.entra_url, "/revoke")
    with pytest.raises(AuthorizationError) as caught:
        bench.tokens.token(bench.scope)
    assert caught.value.code == "PC_CONSENT"
    assert "AADSTS50173" in caught.value.sentence
    assert "admin consent" in caught.value.remedy
    assert bench.first not in f"{caught.value!r}{caught.value.detail}"


def test_a_wrong_client_secret_is_the_operators_business(bench: Bench) -> None:
    with pytest.raises(ConfigurationError) as caught:
        bench.make(client_secret="wrong").token(bench.scope)
    assert caught.value.code == "PC_APP_REGISTRATION"


def test_a_missing_refresh_token_is_the_operators_business(bench: Bench) -> None:
    with pytest.raises(ConfigurationError):
        bench.make(refresh_token_secret="none").token(bench.scope)


@pytest.mark.parametrize("fault", ["503", "reset", "nobody"])
def test_entra_out_of_order_is_unavailable(bench: Bench, fault: str) -> None:
    tokens = bench.tokens
    if fault == "nobody":
        tokens = bench.make(authority=f"https://localhost:{unused_port()}")
    else:
        body = {"kind": "reset"} if fault == "reset" else {"kind": "status", "status": 503}
        bench.cloud.control("POST", bench.cloud.layout.entra_url, "/faults", {"method": "POST", **body})
    with pytest.raises(Unavailable):
        tokens.token(bench.scope)


# the app's own identity -----------------------------------------------------------------------------------------------
def azure_tokens(cloud: Cloud, authority: str | None = None) -> AzureTokens:
    return AzureTokens(lambda: azure_credential(authority or cloud.layout.entra_url, cloud.ca_bundle))


def test_the_apps_own_token_is_for_dataverse_and_cached(bench: Bench) -> None:
    tokens, scope = azure_tokens(bench.cloud), f"{bench.cloud.layout.dataverse_url}/.default"
    first = tokens.token(scope)
    assert claims(first)["aud"] == bench.cloud.layout.dataverse_url
    assert tokens.token(scope) == first
    assert bench.redeemed() == 1
    tokens.renew(scope, "another")
    assert tokens.token(scope) == first
    tokens.renew(scope, first)
    assert tokens.token(scope) != first


@pytest.mark.parametrize("fault", ["wrong secret", "nobody"])
def test_an_identity_that_does_not_work_says_what_to_check(
    bench: Bench, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = None
    if fault == "wrong secret":
        monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong-canary")
    else:
        authority = f"https://localhost:{unused_port()}"
    with pytest.raises(SyncError) as caught:
        azure_tokens(bench.cloud, authority).token("https://any.crm.dynamics.com/.default")
    assert isinstance(caught.value, AuthorizationError | Unavailable)
    assert "canary" not in f"{caught.value!r}{caught.value.detail}"
    if fault == "wrong secret":
        assert "AZURE_CLIENT_SECRET" in caught.value.remedy
