"""Masks what looks like a secret or a person in text that somebody else wrote: libraries, vendors, the interpreter.

A last net, not a permission: nothing in the connector puts secrets or personal data into a text on purpose. `redact`
knows the forms of tokens, keys, e-mail addresses and telephone numbers; free text has no form, so `without_echo` takes
out what we sent ourselves. Pure. Used by `shared.telemetry` for the log and by `shared.clients.http` for the vendors'
words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import groupby
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, SecretStr

MASK = "***"
_PART = 12
_PLAIN = re.compile(r"[\w./:{}()-]+", re.ASCII)
"""One word: an id, a choice, a moment, a path."""
_NAMES = (
    r"client[_-]?secret|(?:refresh|access|id|sas)[_-]?token|assertion|password|pwd|x-functions-key|api-?key|account-?key"
    r"|shared-?access-?key|shared-?access-?signature|x-ms-signature"
)
_FORMS = re.compile(
    rf"""(?ix)
      (?P<kept>
          \bbearer\s+(?=[^\s]{{8}}) | \bsharedaccesssignature\s+       # an Authorization header
        | [?&](?:code|key|sig|{_NAMES})= | \bsig=                      # a query
        | (?<![\w-])(?:{_NAMES})["']?\s?[=:]\s?["']?                  # a form, a connection string, a repr
        | ://[^\s/:@]*:(?=[^\s/@]+@)                                  # a password in an address
      )[^\s"'&;,)}}\]]{{4,}}
    | (?<![\w-])eyJ[\w-]{{10,}}+\.[\w-]{{6,}}+(?:\.[\w-]*+)*          # a JSON web token
    | \b[01]\.A[\w-]{{20,}}[\w.-]*                                   # a refresh token of Entra ID
    | (?<![\w.~-])[\w.~-]{{3}}\dQ~[\w.~-]{{20,}}                      # a client secret of Entra ID
    | (?<![\w.+'-])[\w.+'-]++(?:@|%40)[\w-]++(?:\.[\w-]+)+           # an e-mail address, in linear time
    | (?<![\w.+-])\+\d[\d\ ().-]{{5,18}}\d                           # a telephone number
    | (?<![\w.+-])\(?\d{{3}}\)?[\ .-]\d{{3}}[\ .-]\d{{4}}(?![\w-])
    """
)


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """The text with tokens, keys, e-mail addresses and telephone numbers masked, and `secrets` wherever they stand."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return _FORMS.sub(lambda match: f"{match['kept'] or ''}{MASK}", text)


def secrets_in(settings: BaseModel) -> set[str]:
    """The values among the settings that must never be shown: secrets, keys in connection strings and in addresses."""
    found: set[str] = set()
    for _, value in settings:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(text, str):
            continue
        if isinstance(value, SecretStr):
            found |= {text, *re.findall(r"(?i)(?:key|signature)=([^;]+)", text)}
        query = text.partition("?")[2]
        given = [word for _, word in parse_qsl(query)] + [part.partition("=")[2] for part in query.split("&")]
        found |= {query, *given, *(word.rstrip("=") for word in given)}
    return found


def without_echo(text: str, sent: Any) -> str:
    """A vendor's words without what we told it: every text in `sent` (JSON) of more than a plain word is masked.

    Parts of at least `_PART` characters count too, since vendors shorten. Plain words stay: ids and choices are what a
    reader needs to understand a refusal.
    """
    told = {value[start : start + _PART] for value in _texts(sent) for start in range(max(1, len(value) - _PART + 1))}
    hidden = bytearray(len(text))
    for size in {len(part) for part in told}:
        for start in range(len(text) - size + 1):
            if text[start : start + size] in told:
                hidden[start : start + size] = b"\1" * size
    runs = groupby(zip(text, hidden, strict=True), key=lambda pair: pair[1])
    return "".join(MASK if masked else "".join(letter for letter, _ in run) for masked, run in runs)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            text = value.strip()
            if len(text) > 3 and not _PLAIN.fullmatch(text):
                yield text
        case Mapping():
            for item in value.values():
                yield from _texts(item)
        case list() | tuple():
            for item in value:
                yield from _texts(item)
