"""Entra ID and Key Vault: Microsoft's own client libraries, unmodified, get tokens and secrets from the simulator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jwt
import msal  # type: ignore[import-untyped]  # msal ships no types
import pytest
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, EnvironmentCredential
from azure.keyvault.secrets import SecretClient

from sandbox.layout import Layout
from tests.sandbox.partner_center_fixture import Cloud

pytestmark = [pytest.mark.sandbox, pytest.mark.xdist_group("partner_center")]


@pytest.fixture(autouse=True)
def trusted(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for the sandbox's processes: msal's session takes its authorities from the environment first."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cloud.layout.ca_bundle))
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")


def confidential_client(layout: Layout, secret: str | None = None) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        layout.app_client_id,
        client_credential=secret or layout.app_client_secret,
        authority=f"{layout.entra_url}/{layout.tenant_id}",
        instance_discovery=False,
        verify=str(layout.ca_bundle),
    )


def credential(layout: Layout) -> ClientSecretCredential:
    return ClientSecretCredential(
        layout.tenant_id,
        layout.app_client_id,
        layout.app_client_secret,
        authority=layout.entra_url,
        disable_instance_discovery=True,
        connection_verify=str(layout.ca_bundle),
    )


@pytest.fixture
def vault(fresh_cloud: Cloud) -> Iterator[SecretClient]:
    layout = fresh_cloud.layout
    with SecretClient(
        layout.key_vault_url,
        credential(layout),
        verify_challenge_resource=False,
        connection_verify=str(layout.ca_bundle),
        retry_total=0,
    ) as client:
        yield client


def stored_refresh_token(vault: SecretClient, layout: Layout) -> str:
    value = vault.get_secret(layout.refresh_token_secret).value
    assert value
    return value


def redeem(layout: Layout, refresh_token: str) -> dict[str, Any]:
    app = confidential_client(layout)
    return dict(app.acquire_token_by_refresh_token(refresh_token, [f"{layout.partner_center_url}/.default"]))


def claims(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def test_client_secret_credential_gets_an_app_token_for_the_scopes_audience(fresh_cloud: Cloud) -> None:
    layout = fresh_cloud.layout
    token = credential(layout).get_token(f"{layout.dataverse_url}/.default")
    read = claims(token.token)
    assert read["aud"] == layout.dataverse_url
    assert read["idtyp"] == "app"
    assert read["oid"] == layout.app_user_id
    assert abs(token.expires_on - time.time() - 3600) < 10


def test_environment_credential(fresh_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = fresh_cloud.layout
    for name, value in {
        "AZURE_TENANT_ID": layout.tenant_id,
        "AZURE_CLIENT_ID": layout.app_client_id,
        "AZURE_CLIENT_SECRET": layout.app_client_secret,
        "AZURE_AUTHORITY_HOST": layout.entra_url,
    }.items():
        monkeypatch.setenv(name, value)
    token = EnvironmentCredential(disable_instance_discovery=True).get_token("https://servicebus.azure.net/.default")
    assert claims(token.token)["aud"] == "https://servicebus.azure.net"


def test_wrong_client_secret_is_refused_as_entra_refuses_it(fresh_cloud: Cloud) -> None:
    app = confidential_client(fresh_cloud.layout, "wrong")
    answer = app.acquire_token_for_client([f"{fresh_cloud.layout.dataverse_url}/.default"])
    assert answer["error"] == "invalid_client"
    assert answer["error_codes"] == [7000215]


@pytest.mark.parametrize(
    ("changes", "error", "number"),
    [
        ({"scope": "https://nobody.example/.default"}, "invalid_resource", 500011),
        ({"scope": ""}, "invalid_request", 900144),
        ({"client_id": "00000000-0000-0000-0000-000000000001"}, "unauthorized_client", 700016),
        ({"grant_type": "password"}, "unsupported_grant_type", 70003),
        ({"grant_type": "refresh_token", "refresh_token": "made up"}, "invalid_grant", 9002313),
        ({"client_secret": ""}, "invalid_client", 7000218),
    ],
)
def test_refusals(fresh_cloud: Cloud, changes: dict[str, str], error: str, number: int) -> None:
    layout = fresh_cloud.layout
    form = {
        "grant_type": "client_credentials",
        "client_id": layout.app_client_id,
        "client_secret": layout.app_client_secret,
        "scope": f"{layout.partner_center_url}/.default",
    }
    answer = fresh_cloud.form(f"{layout.entra_url}/{layout.tenant_id}/oauth2/v2.0/token", form | changes)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] == error
    assert answer.json()["error_codes"] == [number]


def test_foreign_tenant_is_refused(fresh_cloud: Cloud) -> None:
    answer = fresh_cloud.session.get(f"{fresh_cloud.layout.entra_url}/other/v2.0/.well-known/openid-configuration")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_tenant")


def test_stored_refresh_token_gives_a_user_token_with_mfa_and_role(fresh_cloud: Cloud, vault: SecretClient) -> None:
    layout = fresh_cloud.layout
    answer = redeem(layout, stored_refresh_token(vault, layout))
    read = claims(answer["access_token"])
    assert read["aud"] == layout.partner_center_url
    assert read["upn"] == layout.service_user
    assert read["roles"] == ["ReferralsAdmin"]
    assert "mfa" in read["amr"]
    assert answer["id_token_claims"]["preferred_username"] == layout.service_user


def test_published_keys_verify_the_token(fresh_cloud: Cloud, vault: SecretClient) -> None:
    layout = fresh_cloud.layout
    configuration = fresh_cloud.session.get(
        f"{layout.entra_url}/{layout.tenant_id}/v2.0/.well-known/openid-configuration"
    ).json()
    keys = jwt.PyJWKSet.from_dict(fresh_cloud.session.get(configuration["jwks_uri"]).json())
    token = redeem(layout, stored_refresh_token(vault, layout))["access_token"]
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key.key, algorithms=["RS256"], audience=layout.partner_center_url)


@pytest.mark.parametrize(
    ("rotation", "gets_new", "old_still_good"), [("new", True, True), ("strict", True, False), ("off", False, True)]
)
def test_rotation(fresh_cloud: Cloud, vault: SecretClient, rotation: str, gets_new: bool, old_still_good: bool) -> None:
    layout = fresh_cloud.layout
    fresh_cloud.sim("PUT", "/switches", {"rotation": rotation}, part="entra")
    old = stored_refresh_token(vault, layout)
    answer = redeem(layout, old)
    assert ("refresh_token" in answer) is gets_new
    if gets_new:
        assert answer["refresh_token"] != old
        assert "access_token" in redeem(layout, answer["refresh_token"])
    assert ("access_token" in redeem(layout, old)) is old_still_good


def test_revoked_refresh_token_is_an_invalid_grant(fresh_cloud: Cloud, vault: SecretClient) -> None:
    token = stored_refresh_token(vault, fresh_cloud.layout)
    assert fresh_cloud.sim("POST", "/revoke", part="entra")["revoked"] == 1
    answer = redeem(fresh_cloud.layout, token)
    assert (answer["error"], answer["error_codes"]) == ("invalid_grant", [50173])


def test_refresh_token_dies_after_ninety_days_without_use(fresh_cloud: Cloud, vault: SecretClient) -> None:
    token = stored_refresh_token(vault, fresh_cloud.layout)
    fresh_cloud.sim("POST", "/clock", {"advance_s": 91 * 86_400}, part="entra")
    assert redeem(fresh_cloud.layout, token)["error_codes"] == [700082]


def test_switches_for_mfa_role_and_lifetime(fresh_cloud: Cloud, vault: SecretClient) -> None:
    layout = fresh_cloud.layout
    token = stored_refresh_token(vault, layout)
    fresh_cloud.sim("POST", "/mfa", {"enabled": False}, part="entra")
    fresh_cloud.sim("POST", "/roles", {"role": "ReferralsUser"}, part="entra")
    fresh_cloud.sim("PUT", "/switches", {"expires_in_s": 90}, part="entra")
    answer = redeem(layout, token)
    read = claims(answer["access_token"])
    assert (read["amr"], read["roles"], read["exp"] - read["iat"]) == (["pwd"], ["ReferralsUser"], 90)
    fresh_cloud.sim("POST", "/roles", {"role": "none"}, part="entra")
    assert claims(redeem(layout, token)["access_token"])["roles"] == []


def test_version_one_answers_with_strings(fresh_cloud: Cloud, vault: SecretClient) -> None:
    layout = fresh_cloud.layout
    form = {
        "grant_type": "refresh_token",
        "client_id": layout.app_client_id,
        "client_secret": layout.app_client_secret,
        "refresh_token": stored_refresh_token(vault, layout),
        "resource": layout.partner_center_url,
    }
    answer = fresh_cloud.form(f"{layout.entra_url}/{layout.tenant_id}/oauth2/token", form).json()
    assert answer["expires_in"] == "3600"
    assert answer["resource"] == claims(answer["access_token"])["aud"] == layout.partner_center_url


def test_device_code_waits_for_the_person_and_gives_a_refresh_token(fresh_cloud: Cloud) -> None:
    layout = fresh_cloud.layout
    app = msal.PublicClientApplication(
        layout.app_client_id, authority=f"{layout.entra_url}/{layout.tenant_id}", instance_discovery=False
    )
    flow = app.initiate_device_flow([f"{layout.partner_center_url}/.default"])
    early = app.acquire_token_by_device_flow(dict(flow), exit_condition=lambda _: True)
    assert early["error"] == "authorization_pending"
    page = fresh_cloud.form(flow["verification_uri"], {"user_code": flow["user_code"]})
    assert "Done" in page.text
    answer = app.acquire_token_by_device_flow(flow)
    assert claims(answer["access_token"])["upn"] == layout.service_user
    assert "access_token" in redeem(layout, answer["refresh_token"])


def test_declined_device_code(fresh_cloud: Cloud) -> None:
    layout = fresh_cloud.layout
    app = msal.PublicClientApplication(
        layout.app_client_id, authority=f"{layout.entra_url}/{layout.tenant_id}", instance_discovery=False
    )
    flow = app.initiate_device_flow([f"{layout.partner_center_url}/.default"])
    fresh_cloud.sim("POST", "/consent", {"user_code": flow["user_code"], "approve": False}, part="entra")
    assert app.acquire_token_by_device_flow(flow)["error"] == "authorization_declined"


def test_secrets_are_versioned(vault: SecretClient) -> None:
    first = vault.set_secret("consent-note", "one", tags={"by": "test"})
    second = vault.set_secret("consent-note", "two")
    assert vault.get_secret("consent-note").value == "two"
    old = vault.get_secret("consent-note", first.properties.version)
    assert (old.value, old.properties.tags) == ("one", {"by": "test"})
    assert first.properties.version != second.properties.version


def test_unknown_secret(vault: SecretClient) -> None:
    with pytest.raises(ResourceNotFoundError) as caught:
        vault.get_secret("nothing-here")
    assert caught.value.error is not None
    assert caught.value.error.code == "SecretNotFound"


def test_vault_challenges_and_refuses_a_token_for_another_audience(fresh_cloud: Cloud) -> None:
    layout = fresh_cloud.layout
    address = f"{layout.key_vault_url}/secrets/{layout.refresh_token_secret}"
    for headers in ({}, {"Authorization": f"Bearer {fresh_cloud.token()}"}):
        answer = fresh_cloud.session.get(address, headers=headers)
        assert answer.status_code == 401
        assert 'resource="https://vault.azure.net"' in answer.headers["WWW-Authenticate"]
    wrong = ClientSecretCredential(
        layout.tenant_id,
        layout.app_client_id,
        "wrong",
        authority=layout.entra_url,
        disable_instance_discovery=True,
        connection_verify=str(layout.ca_bundle),
    )
    with pytest.raises(ClientAuthenticationError):
        SecretClient(
            layout.key_vault_url, wrong, verify_challenge_resource=False, connection_verify=str(layout.ca_bundle)
        ).get_secret(layout.refresh_token_secret)


def test_a_killed_process_comes_back_with_tokens_secrets_and_switches(fresh_cloud: Cloud, vault: SecretClient) -> None:
    layout = fresh_cloud.layout
    token = stored_refresh_token(vault, layout)
    vault.set_secret("kept", "value")
    fresh_cloud.sim("POST", "/roles", {"role": "ReferralsUser"}, part="entra")
    fresh_cloud.entra.kill()
    fresh_cloud.entra.start()
    fresh_cloud.entra.wait_ready()
    assert vault.get_secret("kept").value == "value"
    assert stored_refresh_token(vault, layout) == token
    assert claims(redeem(layout, token)["access_token"])["roles"] == ["ReferralsUser"]


def test_planted_faults_answer_in_the_vendors_shape(fresh_cloud: Cloud) -> None:
    layout = fresh_cloud.layout
    fault = {"kind": "status", "status": 429, "retry_after": 7, "times": 1, "path": f"/{layout.tenant_id}/oauth2"}
    fresh_cloud.sim("POST", "/faults", fault, part="entra")
    answer = fresh_cloud.form(f"{layout.entra_url}/{layout.tenant_id}/oauth2/v2.0/token", {})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json()["error"] == "temporarily_unavailable"
