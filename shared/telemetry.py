"""Logging of the app: short lines, ids only, and a last net that masks what looks like a secret or a person.

Nothing in the connector logs bodies or personal data on purpose; the filter is for what a library or an exception text
might carry. Levels of the chatty SDKs are set here and in host.json.
"""

from __future__ import annotations

import logging
import re

_QUIET = ("azure", "msal", "urllib3", "uamqp")
_SECRETS = re.compile(
    r"(?i)(bearer\s+)[\w.~+/=-]{8,}"
    r"|((?:sig|code|client_secret|refresh_token|access_token|sharedaccesskey|saskey|password)[\"']?\s*[=:]\s*[\"']?)[^\s\"'&;,]+"
    r"|(eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*)"
    r"|([\w.+-]+@[\w-]+\.[\w.-]+)"
)


def redact(text: str) -> str:
    """The text with tokens, keys and e-mail addresses masked."""
    return _SECRETS.sub(lambda match: f"{match.group(1) or match.group(2) or ''}***", text)


class Redaction(logging.Filter):
    """Masks a record's message and traceback in place."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        return True


def configure() -> None:
    """Once per process: levels, and the filter on every handler the host installed."""
    logging.getLogger("cosell").setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, Redaction) for known in handler.filters):
            handler.addFilter(Redaction())
