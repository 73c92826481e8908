"""The signature headers of a webhook request, and the RSA check itself.

`read_headers` and `read_signature` decide everything that can be decided before the certificate is known, and refuse
what can be read in two ways: a repeated header, or two signatures that differ. The signature covers the body's raw
bytes and nothing else, so a captured request stays valid: see `event` for its age. Nothing here may log a header.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from shared.errors import Rejected

type Headers = Mapping[str, str] | Iterable[tuple[str, str]]
"""As received. Pairs show a repeated header; a mapping has lost it, or joined the values with a comma."""

SIGNATURE, AUTHORIZATION = "x-ms-signature", "authorization"
CERTIFICATE_URL, ALGORITHM = "x-ms-certificate-url", "x-ms-signature-algorithm"
_READ = frozenset({SIGNATURE, AUTHORIZATION, CERTIFICATE_URL, ALGORITHM, "content-type", "content-encoding"})
_LONGEST = 4096
_SIGNATURE = re.compile(r"signature +(\S+)", re.IGNORECASE | re.ASCII)
_REMEDY = "Nothing needs to be done unless Partner Center's own deliveries fail: then see docs/security-webhook.md."

WRONG_SIGNATURE = "WRONG_SIGNATURE"


def read_headers(headers: Headers) -> dict[str, str]:
    """The headers the decision needs, by lower-case name; `Rejected` 400 when one is repeated or too long."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    found: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        if key not in _READ:
            continue
        if key in found:
            raise Rejected("DUPLICATE_HEADER", f"The header {key} is given twice.", _REMEDY, status=400)
        if len(value) > _LONGEST:
            raise Rejected("HEADER_TOO_LONG", f"The header {key} is too long.", _REMEDY, status=400)
        found[key] = value
    return found


def read_signature(headers: Mapping[str, str]) -> bytes:
    """The signature of `x-ms-signature` or `Authorization: Signature`; `Rejected` 401, or 400 without an algorithm."""
    algorithm = headers.get(ALGORITHM, "")
    given = {name: headers[name] for name in (SIGNATURE, AUTHORIZATION) if name in headers}
    if not given:
        raise _unauthorized("NO_SIGNATURE", "The request carries no signature.")
    encoded = {_encoded(name, value) for name, value in given.items()}
    if len(encoded) > 1:
        raise _unauthorized("AMBIGUOUS_SIGNATURE", "The request carries two signatures that differ.")
    if not algorithm:
        raise Rejected("NO_ALGORITHM", f"The header {ALGORITHM} is missing.", _REMEDY, status=400)
    if algorithm.lower() != "rsa-sha256":
        raise _unauthorized("WRONG_ALGORITHM", "The signature's algorithm is not rsa-sha256.")
    return _decoded(encoded.pop())


def check(key: RSAPublicKey, signature: bytes, body: bytes) -> None:
    """`Rejected` 401 WRONG_SIGNATURE unless the key signed these bytes (RSASSA-PKCS1-v1_5, SHA-256)."""
    try:
        key.verify(signature, body, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise _unauthorized(WRONG_SIGNATURE, "The signature does not belong to this body and certificate.") from None


def _encoded(name: str, value: str) -> str:
    match = _SIGNATURE.fullmatch(value)
    if match:
        return match[1]
    if name == SIGNATURE and value and " " not in value:
        return value
    raise _unauthorized(
        "WRONG_SCHEME", f"The header {name} does not hold a signature in the form 'Signature <base64>'."
    )


def _decoded(encoded: str) -> bytes:
    try:
        signature = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if not signature or base64.b64encode(signature).decode("ascii") != encoded:
        raise _unauthorized("BAD_BASE64", "The signature is not base64.")
    return signature


def _unauthorized(code: str, sentence: str) -> Rejected:
    return Rejected(code, sentence, _REMEDY, status=401)
