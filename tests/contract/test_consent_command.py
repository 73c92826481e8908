"""`python -m admin consent` against the simulated Entra ID, Key Vault and Partner Center, as an operator runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.supervisor import app_settings
from tests.contract.cloud import Cloud

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def entra(cloud: Cloud) -> Iterator[Cloud]:
    cloud.need("entra", "partner_center")
    for address in (cloud.layout.entra_url, cloud.layout.partner_center_url):
        cloud.control("POST", address, "/reset")
    yield cloud
    cloud.control("POST", cloud.layout.entra_url, "/reset")


class Command:
    """The command running; `code` is what it shows the operator."""

    def __init__(self, cloud: Cloud, settings: Path) -> None:
        settings.write_text(json.dumps({"Values": app_settings(cloud.layout)}))
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "admin", "--settings", str(settings), "consent"],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("AZURE_")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.first_line = self.process.stdout.readline()
        self.code = self.first_line.rpartition(" ")[2].strip()

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def command(entra: Cloud, tmp_path: Path) -> Iterator[Command]:
    # A shell hands Ctrl-C down as ignored to what it runs in the background, these tests included; a terminal does not.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    running = Command(entra, tmp_path / "local.settings.json")
    signal.signal(signal.SIGINT, inherited)
    yield running
    running.process.kill()
    running.process.wait()


def answer(cloud: Cloud, code: str, *, approve: bool) -> None:
    cloud.control("POST", cloud.layout.entra_url, "/consent", {"user_code": code, "approve": approve})


def test_signing_in_replaces_the_refresh_token_and_shows_that_it_works(entra: Cloud, command: Command) -> None:
    before = entra.key_vault.get(entra.layout.refresh_token_secret)
    entra.control("POST", entra.layout.entra_url, "/revoke")
    answer(entra, command.code, approve=True)
    code, out, err = command.end()
    assert (code, err) == (0, "")
    assert "Partner Center accepts it" in out
    after = entra.key_vault.get(entra.layout.refresh_token_secret)
    assert after != before
    assert after not in out
    assert entra.new_partner_center_tokens().token(f"{entra.layout.partner_center_url}/.default")


def test_a_declined_sign_in_changes_nothing(entra: Cloud, command: Command) -> None:
    before = entra.key_vault.get(entra.layout.refresh_token_secret)
    answer(entra, command.code, approve=False)
    code, _, err = command.end()
    assert code == 1
    assert "did not give a refresh token (authorization_declined" in err
    assert "Nothing was changed" in err
    assert err.count("\n") == 1
    assert entra.key_vault.get(entra.layout.refresh_token_secret) == before


def test_a_sign_in_without_a_second_factor_is_found_out_at_once(entra: Cloud, command: Command) -> None:
    entra.control("POST", entra.layout.entra_url, "/mfa", {"enabled": False})
    answer(entra, command.code, approve=True)
    code, _, err = command.end()
    assert code == 1
    assert "multi-factor" in err
    assert "python -m admin consent" in err


def test_ctrl_c_ends_it(command: Command) -> None:
    time.sleep(0.2)
    command.process.send_signal(2)
    code, _, err = command.end()
    assert (code, err) == (130, "Stopped.\n")
