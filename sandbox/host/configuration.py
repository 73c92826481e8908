"""What the host is told: host.json, local.settings.json and `%SETTING%` references. Reads files, starts nothing.

Every problem becomes one sentence with its remedy (`StartError`), because these files are written by hand.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

_TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.\d+)?")
_LEVELS = {
    "trace": "DEBUG",
    "debug": "DEBUG",
    "information": "INFO",
    "warning": "WARNING",
    "error": "ERROR",
    "critical": "CRITICAL",
    "none": "CRITICAL",
}


class StartError(Exception):
    """The host cannot start; the text is for the person at the terminal."""


@dataclass(frozen=True)
class HostJson:
    """The parts of host.json that this host honours. Times in seconds; None means unlimited."""

    route_prefix: str = "api"
    max_outstanding_requests: int | None = None
    max_concurrent_requests: int | None = None
    function_timeout_s: float | None = 1800.0
    max_concurrent_calls: int = 16
    prefetch_count: int = 0
    lock_renewal_s: float = 300.0
    body_limit: int = 104_857_600
    """Most bytes of a request's body; set by FUNCTIONS_REQUEST_BODY_SIZE_LIMIT, as on the real host."""
    log_levels: dict[str, str] = field(default_factory=dict)
    """Logger name ("default" for all others) → name of a Python level."""


def read_host_json(path: Path) -> HostJson:
    """Parse host.json; StartError when it is missing, malformed or asks for what this host cannot do."""
    document = _read_object(path, 'Every function app needs one; `{"version": "2.0"}` is enough.')
    if document.get("version") != "2.0":
        raise StartError(f'{path} must say "version": "2.0".')
    reader = _Reader(path, document)
    bus = "extensions.serviceBus"
    if reader.get(f"{bus}.autoCompleteMessages", True) is not True:
        raise StartError(
            f"{path}: autoCompleteMessages must be true: a Python function cannot settle its message itself."
        )
    levels = reader.get("logging.logLevel", {})
    known = isinstance(levels, dict) and all(str(level).lower() in _LEVELS for level in levels.values())
    if not known:
        raise StartError(f"{path}: logging.logLevel must map categories to one of {', '.join(_LEVELS)}.")
    calls = reader.count(f"{bus}.maxConcurrentCalls")
    if calls == 0:
        raise StartError(f"{path}: {bus}.maxConcurrentCalls must be 1 or more.")
    return HostJson(
        route_prefix=str(reader.get("extensions.http.routePrefix", "api")).strip("/"),
        max_outstanding_requests=reader.count("extensions.http.maxOutstandingRequests"),
        max_concurrent_requests=reader.count("extensions.http.maxConcurrentRequests"),
        function_timeout_s=reader.duration("functionTimeout", HostJson.function_timeout_s),
        max_concurrent_calls=calls or HostJson.max_concurrent_calls,
        prefetch_count=reader.count(f"{bus}.prefetchCount") or 0,
        lock_renewal_s=reader.duration(f"{bus}.maxAutoLockRenewalDuration", HostJson.lock_renewal_s) or 0.0,
        body_limit=_body_limit(),
        log_levels={name: _LEVELS[str(level).lower()] for name, level in levels.items()},
    )


def apply_settings(path: Path) -> None:
    """Put the file's Values into the environment, where variables that are already set win."""
    document = _read_object(path, 'Name another with --settings, or write one: {"Values": {"NAME": "value"}}.')
    values = document.get("Values", {})
    if not isinstance(values, dict):
        raise StartError(f"{path}: Values must be an object of names and values.")
    for name, value in values.items():
        if not name or "=" in name or "\0" in name:
            raise StartError(f"{path} has a setting without a usable name; names hold no = and are not empty.")
        if not isinstance(value, str | int | float | bool) or "\0" in str(value):
            raise StartError(f"{path}: the value of {name} must be a text, as an app setting in Azure is.")
        os.environ.setdefault(name, str(value))


def resolve(text: str, place: str) -> str:
    """Replace each `%NAME%` by that setting; StartError when it is not set."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise StartError(f"{place} refers to %{name}%, which is not set; add it to the settings file's Values.")
        return os.environ[name]

    return re.sub(r"%([^%]+)%", value, text)


def _body_limit() -> int:
    text = os.environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", str(HostJson.body_limit))
    if not text.isdecimal():
        raise StartError("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT must be a number of bytes.")
    return int(text)


def _read_object(path: Path, remedy: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StartError(f"{path} cannot be read ({error.strerror}). {remedy}") from error
    except ValueError as error:
        raise StartError(f"{path} is not valid JSON ({error}); correct it and start again.") from error
    if not isinstance(document, dict):
        raise StartError(f"{path} must hold one JSON object. {remedy}")
    return document


@dataclass(frozen=True)
class _Reader:
    """Looks up dotted names in host.json and names the file and the key when a value has the wrong shape."""

    path: Path
    document: dict[str, Any]

    def get(self, name: str, default: Any) -> Any:
        *parents, last = name.split(".")
        found: Any = self.document
        for depth, key in enumerate(parents, start=1):
            found = found.get(key, {})
            if not isinstance(found, dict):
                raise StartError(f"{self.path}: {'.'.join(parents[:depth])} must be an object.")
        return found.get(last, default)

    def count(self, name: str) -> int | None:
        """A number of 0 or more; None when absent or -1, which is how host.json says unlimited."""
        value = self.get(name, -1)
        if not isinstance(value, int) or isinstance(value, bool) or value < -1:
            raise StartError(f"{self.path}: {name} must be a whole number, or -1 for no limit.")
        return None if value == -1 else value

    def duration(self, name: str, default: float | None) -> float | None:
        """Seconds of a time span `[d.]hh:mm:ss`; None for "-1", which is how host.json says unlimited."""
        value = self.get(name, None)
        if value is None:
            return default
        if str(value) == "-1":
            return None
        match = _TIME_SPAN.fullmatch(str(value))
        if not match:
            raise StartError(f'{self.path}: {name} must be a time span such as "00:05:00".')
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
