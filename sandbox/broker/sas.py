"""Shared access signatures: whether a put-token request proves that its sender knows the key.

Pure: token, audience, key and time in, a sentence or nothing out. The key is the text of the connection string's
SharedAccessKey; the SDK signs with that text, it does not decode it.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import parse_qs, quote_plus


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A policy's name and key."""

    name: str
    key: str

    @classmethod
    def of(cls, connection: str) -> AccessKey:
        """The key in a connection string; KeyError when it holds none."""
        parts = dict(part.split("=", 1) for part in connection.strip(";").split(";"))
        return cls(parts["SharedAccessKeyName"], parts["SharedAccessKey"])


def refusal(token: str, audience: str, access: AccessKey, now_s: int) -> str | None:
    """Why the token does not open `audience`, in a sentence; None when it does."""
    scheme, _, query = token.partition(" ")
    if scheme != "SharedAccessSignature":
        return "The token is not a shared access signature; the sandbox's broker takes no other."
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    if not fields.keys() >= {"sr", "sig", "se", "skn"}:
        return "The shared access signature is malformed: it needs sr, sig, se and skn."
    if fields["skn"] != access.name:
        return f"There is no shared access policy '{fields['skn']}'."
    if not audience.lower().startswith(fields["sr"].lower()):
        return f"The token is for '{fields['sr']}', not for '{audience}'."
    signed = f"{quote_plus(fields['sr'])}\n{fields['se']}".encode()
    expected = b64encode(hmac.digest(access.key.encode(), signed, "sha256"))
    if not hmac.compare_digest(expected, fields["sig"].encode()):
        return "InvalidSignature: the token has an invalid signature; check the SharedAccessKey."
    if not fields["se"].isdigit() or int(fields["se"]) <= now_s:
        return "ExpiredToken: the token has expired."
    return None
