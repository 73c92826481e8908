"""The port `SecretStore`, on the fake and on the real client against the simulated Key Vault."""

from __future__ import annotations

import pytest

from shared.clients.key_vault import KeyVault
from shared.clients.tokens import azure_credential
from shared.errors import ConfigurationError, SyncError, Unavailable
from shared.ports import SecretStore
from tests.clients.scripted_server import unused_port
from tests.contract.cloud import Cloud
from tests.fakes.secrets import FakeSecretStore


@pytest.fixture(params=["fake", "client"])
def store(request: pytest.FixtureRequest) -> SecretStore:
    if request.param == "fake":
        return FakeSecretStore()
    cloud: Cloud = request.getfixturevalue("cloud")
    return cloud.key_vault


def test_the_newest_value_counts(store: SecretStore) -> None:
    for value in ("first", "second", "1.AXQA-ünïcode"):
        store.set("contract-a", value)
        assert store.get("contract-a") == value


def test_a_missing_secret_is_the_operators_business(store: SecretStore) -> None:
    with pytest.raises(ConfigurationError) as caught:
        store.get("contract-never-set")
    assert caught.value.code == "KV_SECRET_MISSING"
    assert "contract-never-set" in caught.value.sentence


def test_a_vault_that_is_not_there_is_unavailable(cloud: Cloud) -> None:
    cloud.need("entra")
    credential = azure_credential(cloud.layout.entra_url, cloud.ca_bundle)
    vault = KeyVault(f"https://localhost:{unused_port()}", credential, ca_bundle=cloud.ca_bundle, pause_s=0)
    with pytest.raises(Unavailable) as caught:
        vault.get("any")
    assert caught.value.code == "KV_UNREACHABLE"


def test_errors_do_not_tell_the_value(cloud: Cloud) -> None:
    cloud.need("entra")
    credential = azure_credential(cloud.layout.entra_url, cloud.ca_bundle)
    vault = KeyVault(f"https://localhost:{unused_port()}", credential, ca_bundle=cloud.ca_bundle, pause_s=0)
    with pytest.raises(SyncError) as caught:
        vault.set("any", "canary-value")
    assert "canary" not in f"{caught.value!r} {caught.value.detail}"
