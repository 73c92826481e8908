"""Settings that are missing or wrong: all of them in one sentence with its remedy, and never a value.

What the host says of a settings file it cannot read: `tests/sandbox/test_host_start.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from admin.__main__ import main as admin
from sandbox.clients import connection
from sandbox.layout import Layout
from sandbox.supervisor import Sandbox
from shared.errors import ConfigurationError
from shared.settings import load
from tests.bad_input.pair import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
QUEUE = "partner-center-events"


def refusal(**changes: object) -> ConfigurationError:
    """What `load` says; None leaves a setting out."""
    with pytest.raises(ConfigurationError) as refused:
        load({name: value for name, value in {**ENVIRONMENT, **changes}.items() if value is not None})
    return refused.value


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PC_TENANT_ID", "contoso.onmicrosoft.com", "PC_TENANT_ID: String should match pattern"),
        ("PC_CLIENT_SECRET", None, "PC_CLIENT_SECRET: is missing"),
        ("DATAVERSE_URL", "http://contoso.crm.example", "DATAVERSE_URL: give an https:// address"),
        ("DATAVERSE_URL", "https://user:planted@contoso.crm.example", "DATAVERSE_URL: give an https:// address"),
        ("KEY_VAULT_URL", "kv-cosell", "KEY_VAULT_URL: give an https:// address"),
        ("WEBHOOK_URL", "http://app.example/api", "WEBHOOK_URL: give the public https:// address"),
        ("DRY_RUN", "perhaps", "DRY_RUN: give yes or no"),
        ("PROFILE", "everything", "PROFILE: Input should be 'extended' or 'parity'"),
        ("PC_CALLS_PER_MINUTE", "0", "PC_CALLS_PER_MINUTE: Input should be greater than or equal to 1"),
        ("DEBOUNCE_SECONDS", "soon", "DEBOUNCE_SECONDS: Input should be a valid number"),
        ("DEAL_VALUE_COLUMN", "Est. Revenue", "DEAL_VALUE_COLUMN: String should match pattern"),
        (
            "ServiceBusConnection__fullyQualifiedNamespace",
            None,
            "ServiceBusConnection or ServiceBusConnection__fullyQualifiedNamespace is missing",
        ),
    ],
)
def test_each_wrong_setting_is_named_with_what_it_should_be(name: str, value: object, says: str) -> None:
    error = refusal(**{name: value})
    assert error.code == "SETTINGS_INVALID"
    assert says in error.sentence
    assert "docs/settings.md" in error.remedy
    assert not isinstance(value, str) or value not in str(error)


def test_all_problems_are_one_sentence() -> None:
    error = refusal(PC_TENANT_ID="x", DATAVERSE_URL=None, KEY_VAULT_URL="", DRY_RUN="maybe", WEBHOOK_MAX_AGE_DAYS="-3")
    for name in ("PC_TENANT_ID", "DATAVERSE_URL", "KEY_VAULT_URL", "DRY_RUN", "WEBHOOK_MAX_AGE_DAYS"):
        assert error.sentence.count(f"{name}:") == 1
    assert "\n" not in str(error)


def run_admin(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "admin", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_operators_command_without_settings_says_what_is_missing() -> None:
    done = run_admin("parked", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "PC_TENANT_ID: is missing" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"Values": []}', "\udcff"])
def test_an_operators_command_with_an_unreadable_settings_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str
) -> None:
    file = tmp_path / "local.settings.json"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert admin(["--settings", str(file), "parked", "list"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "local.settings.json" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.sandbox
@pytest.mark.slow
def test_an_app_with_wrong_settings_says_so_and_loses_nothing(tmp_path: Path) -> None:
    """HTTP answers with every problem; a message is kept among the dead letters, where a replay finds it."""
    layout = Layout.create(tmp_path)
    wrong: dict[str, object] = {"DATAVERSE_URL": "nowhere", "PC_CLIENT_ID": None}
    with Sandbox(layout, settings=wrong, parts=("broker", "host")), connection(layout) as http:
        answer = http.get(f"{layout.host_url}/api/status", headers={"x-functions-key": layout.host_key}, timeout=30)
        assert answer.status_code == 503
        assert answer.json()["code"] == "SETTINGS_INVALID"
        assert "DATAVERSE_URL: give an https:// address" in answer.json()["sentence"]
        assert "PC_CLIENT_ID: is missing" in answer.json()["sentence"]
        assert "nowhere" not in answer.text
        assert http.post(f"{layout.host_url}/api/partner_center_webhook", json={}, timeout=30).status_code == 503
        _send(layout, '{"subject": "referral"}')
        assert _counts_when(http, layout, "dead_letter", 1)["dead_letter"] == 1
        url = f"{layout.broker_admin_url}/queues/{QUEUE}/messages"
        [kept] = http.get(url, params={"dead_letter": "true"}, timeout=10).json()
        assert json.loads(kept["body"]) == {"subject": "referral"}
    log = (tmp_path / "logs" / "host.log").read_text(encoding="utf-8")
    assert "DATAVERSE_URL: give an https:// address" in log


def _send(layout: Layout, body: str) -> None:
    bus = ServiceBusClient.from_connection_string(layout.service_bus_connection)
    with bus, bus.get_queue_sender(QUEUE) as sender:
        sender.send_messages(ServiceBusMessage(body))


def _counts_when(http: requests.Session, layout: Layout, kind: str, wanted: int) -> dict[str, int]:
    """The queue's counts once there are `wanted` of a kind, or after a while."""
    give_up_at = time.monotonic() + 20
    while True:
        counts: dict[str, int] = http.get(f"{layout.broker_admin_url}/queues", timeout=10).json()[QUEUE]
        if counts[kind] >= wanted or time.monotonic() > give_up_at:
            return counts
        time.sleep(0.1)
