"""Access tokens of the sandbox: RS256 JWTs, signed by the Entra simulator and checked by the APIs.

The checks are those a vendor's API makes (signature, audience, expiry by its own clock); which principals and roles an
API accepts is the API's business, from the `Claims` returned. `TokenRefused` is rendered by each simulator in its
vendor's shape. Keys come from `sandbox.authority`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.authority import private_key
from sandbox.layout import Layout

KEY_ID = "sandbox-1"


class Refusal(Exception):
    """A request a simulator does not serve. `code` is the vendor's own error code, rendered by the simulator."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.headers = headers or {}


class TokenRefused(Refusal):
    """401. `reason` is one of missing, malformed, signature, expired, audience."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(401, "unauthenticated", message, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        self.reason = reason


@dataclass(frozen=True)
class Claims:
    """What a token says. `user` is the user principal name, empty for an app-only token."""

    audience: str
    tenant_id: str
    client_id: str
    object_id: str
    user: str
    app_only: bool
    roles: tuple[str, ...]
    mfa: bool
    expires_at: datetime


def issue_token(
    layout: Layout,
    *,
    audience: str,
    client_id: str,
    now: datetime,
    user: str = "",
    object_id: str = "",
    roles: Sequence[str] = (),
    mfa: bool = True,
    app_only: bool = False,
    expires_in_s: int = 3600,
) -> str:
    """A signed access token. `roles` are the user's roles at the API: Entra keeps them elsewhere, the sandbox here."""
    claims: dict[str, Any] = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{layout.tenant_id}/",
        "tid": layout.tenant_id,
        "appid": client_id,
        "azp": client_id,
        "oid": object_id or str(uuid.uuid5(uuid.NAMESPACE_URL, user or client_id)),
        "iat": int(now.timestamp()),
        "nbf": int(now.timestamp()),
        "exp": int((now + timedelta(seconds=expires_in_s)).timestamp()),
        "jti": uuid.uuid4().hex,
        "ver": "1.0",
        "roles": list(roles),
    }
    if app_only:
        claims["idtyp"] = "app"
    else:
        claims |= {"upn": user, "scp": "user_impersonation", "amr": ["pwd", "mfa"] if mfa else ["pwd"]}
    return jwt.encode(claims, signing_key(layout.token_key), algorithm="RS256", headers={"kid": KEY_ID})


def check_token(layout: Layout, authorization: str, audience: str | Sequence[str], now: datetime) -> Claims:
    """The claims of an `Authorization` header's bearer token; `TokenRefused` when it does not hold."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenRefused("missing", "The request has no bearer token.")
    try:
        claims = _signed_claims(token.strip(), layout.token_key)
    except jwt.InvalidSignatureError as error:
        raise TokenRefused("signature", "The access token's signature is not valid.") from error
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError) as error:
        raise TokenRefused("malformed", "The access token cannot be read.") from error
    if claims.expires_at <= now:
        raise TokenRefused("expired", "The access token has expired.")
    accepted = [audience] if isinstance(audience, str) else list(audience)
    if claims.audience.rstrip("/") not in {item.rstrip("/") for item in accepted}:
        raise TokenRefused("audience", f"The access token is for {claims.audience}, not for {accepted[0]}.")
    return claims


@lru_cache(maxsize=256)
def _signed_claims(token: str, key: Path) -> Claims:
    """What a token with a valid signature says, kept by its text: the same text has the same signature and claims.

    Time and audience are the caller's: time by the simulator's clock, audience with its own sentence.
    """
    raw: dict[str, Any] = jwt.decode(
        token,
        signing_key(key).public_key(),
        algorithms=["RS256"],
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False},
    )
    return _claims(raw)


@lru_cache(maxsize=256)
def unverified_client_id(authorization: str) -> str | None:
    """The client id a bearer token claims, for the request log only."""
    _, _, token = authorization.partition(" ")
    try:
        raw = jwt.decode(token.strip(), options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return None
    client_id = raw.get("appid")
    return client_id if isinstance(client_id, str) else None


@lru_cache(maxsize=4)
def signing_key(path: Path) -> rsa.RSAPrivateKey:
    """The token key; read once per process, since it never changes in a state directory."""
    return private_key(path, path.read_bytes())


def _claims(raw: dict[str, Any]) -> Claims:
    return Claims(
        audience=str(raw["aud"]),
        tenant_id=str(raw["tid"]),
        client_id=str(raw["appid"]),
        object_id=str(raw["oid"]),
        user=str(raw.get("upn", "")),
        app_only=raw.get("idtyp") == "app",
        roles=tuple(str(role) for role in raw.get("roles", ())),
        mfa="mfa" in raw.get("amr", ()),
        expires_at=datetime.fromtimestamp(int(raw["exp"]), UTC),
    )
