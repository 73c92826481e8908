"""What the Entra simulator remembers: refresh tokens, device codes, Key Vault secrets and the switches of `/_sim`.

One JSON document in the state directory, rewritten after every change, so that a restart forgets nothing. Knows no
HTTP; refusals are Entra's own error codes (`AADSTS…`), see `token_endpoint`.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.layout import Layout

REFRESH_TOKEN_IDLE = timedelta(days=90)
"""Entra drops a refresh token that was not used for this long."""
DEVICE_CODE_LIFETIME_S = 900
_KEPT_REFRESH_TOKENS = 1000


class Switches(BaseModel):
    """How tokens are issued; set through `/_sim`."""

    model_config = ConfigDict(extra="forbid")

    mfa: bool = True
    """Whether user tokens say that the sign-in used a second factor."""
    role: Literal["ReferralsAdmin", "ReferralsUser", "none"] = "ReferralsAdmin"
    """The service user's role in Partner Center."""
    rotation: Literal["new", "strict", "off"] = "new"
    """A refresh answers with a new token, the old one stays good (as Entra does); dies (strict); or none is sent."""
    expires_in_s: int = Field(default=3600, ge=1, le=86_400)
    automatic_consent: bool = False
    """Device codes count as confirmed at once."""


class RefreshToken(BaseModel):
    token: str
    user: str
    client_id: str
    last_used_at: datetime
    revoked: bool = False


class DeviceCode(BaseModel):
    device_code: str
    user_code: str
    client_id: str
    scope: str
    expires_at: datetime
    answer: Literal["pending", "approved", "declined", "used"] = "pending"


class SecretVersion(BaseModel):
    version: str = Field(default_factory=lambda: uuid.uuid4().hex)
    value: str
    created_at: datetime
    content_type: str | None = None
    tags: dict[str, str] = {}
    enabled: bool = True
    expires: int | None = None
    """Unix seconds, as Key Vault writes it."""
    not_before: int | None = None


class _State(BaseModel):
    switches: Switches = Field(default_factory=Switches)
    refresh_tokens: list[RefreshToken] = []
    device_codes: list[DeviceCode] = []
    secrets: dict[str, list[SecretVersion]] = {}


class Directory:
    """The tenant's accounts and the vault's secrets. Names of secrets are compared without case."""

    def __init__(self, layout: Layout, now: Callable[[], datetime]) -> None:
        self._layout = layout
        self._now = now
        self._file: Path = layout.state / "entra.json"
        self._state = (
            _State.model_validate_json(self._file.read_text(encoding="utf-8")) if self._file.exists() else _State()
        )
        self._seed()

    def reset(self) -> None:
        self._state = _State()
        self._seed()

    @property
    def switches(self) -> Switches:
        return self._state.switches

    def switch(self, changes: dict[str, object]) -> Switches:
        """Pydantic's ValidationError when a change is not one of `Switches`."""
        self._state.switches = Switches.model_validate(self._state.switches.model_dump() | changes)
        self._save()
        return self._state.switches

    # refresh tokens -------------------------------------------------------------------------------------------------
    def new_refresh_token(self, user: str, client_id: str) -> str:
        token = "1.AXQA" + secrets.token_urlsafe(48)
        tokens = self._state.refresh_tokens
        tokens.append(RefreshToken(token=token, user=user, client_id=client_id, last_used_at=self._now()))
        del tokens[:-_KEPT_REFRESH_TOKENS]
        self._save()
        return token

    def use_refresh_token(self, token: str, client_id: str) -> tuple[str, str | None] | int:
        """The user and the replacement (None: keep the old one), or the AADSTS number of the refusal."""
        known = next((item for item in self._state.refresh_tokens if item.token == token), None)
        if known is None or known.client_id != client_id:
            return 9002313
        if known.revoked:
            return 50173
        if self._now() - known.last_used_at > REFRESH_TOKEN_IDLE:
            return 700082
        known.last_used_at = self._now()
        if self.switches.rotation == "off":
            self._save()
            return known.user, None
        known.revoked = self.switches.rotation == "strict"
        return known.user, self.new_refresh_token(known.user, client_id)

    def revoke_refresh_tokens(self) -> int:
        """How many were still good."""
        good = [item for item in self._state.refresh_tokens if not item.revoked]
        for item in good:
            item.revoked = True
        self._save()
        return len(good)

    # device codes ---------------------------------------------------------------------------------------------------
    def new_device_code(self, client_id: str, scope: str) -> DeviceCode:
        letters = "BCDFGHJKLMNPQRSTVWXZ23456789"
        code = DeviceCode(
            device_code=secrets.token_urlsafe(32),
            user_code="".join(secrets.choice(letters) for _ in range(9)),
            client_id=client_id,
            scope=scope,
            expires_at=self._now() + timedelta(seconds=DEVICE_CODE_LIFETIME_S),
            answer="approved" if self.switches.automatic_consent else "pending",
        )
        self._state.device_codes = [item for item in self._state.device_codes if item.expires_at > self._now()]
        self._state.device_codes.append(code)
        self._save()
        return code

    def answer_device_code(self, user_code: str, *, approve: bool) -> bool:
        """False when no such code waits for an answer."""
        for code in self._state.device_codes:
            if code.user_code == user_code.strip().upper() and code.answer == "pending":
                code.answer = "approved" if approve else "declined"
                self._save()
                return True
        return False

    def redeem_device_code(self, device_code: str, client_id: str) -> DeviceCode | tuple[str, int]:
        """The approved code, used up by this call, or OAuth's error word and the AADSTS number."""
        code = next((item for item in self._state.device_codes if item.device_code == device_code), None)
        if code is None or code.client_id != client_id or code.answer == "used":
            return "invalid_grant", 70000
        if code.expires_at <= self._now():
            return "expired_token", 70020
        if code.answer == "declined":
            return "authorization_declined", 70018
        if code.answer == "pending":
            return "authorization_pending", 70016
        code.answer = "used"
        self._save()
        return code

    # secrets --------------------------------------------------------------------------------------------------------
    def secret(self, name: str, version: str | None = None) -> SecretVersion | None:
        """The newest or the named version."""
        versions = self._state.secrets.get(name.lower(), [])
        if version is None:
            return versions[-1] if versions else None
        return next((item for item in versions if item.version == version), None)

    def store_secret(self, name: str, secret: SecretVersion) -> SecretVersion:
        """Adds a version, which becomes the current one."""
        self._state.secrets.setdefault(name.lower(), []).append(secret)
        self._save()
        return secret

    def _seed(self) -> None:
        """The consent that an operator gives once, given: the service user's refresh token is in the vault."""
        layout = self._layout
        if self.secret(layout.refresh_token_secret) is None:
            token = self.new_refresh_token(layout.service_user, layout.app_client_id)
            self.store_secret(layout.refresh_token_secret, SecretVersion(value=token, created_at=self._now()))

    def _save(self) -> None:
        half = self._file.with_suffix(".new")
        half.write_text(json.dumps(self._state.model_dump(mode="json")), encoding="utf-8")
        half.replace(self._file)
