"""docs/settings.md: every setting with its default, meaning and check, taken from the model in `shared.settings`.

Sections are the model's own comment lines. A setting that no code reads yet is marked as such, so that the page never
promises more than the app does.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import shared
from shared.settings import FROM_DATAVERSE, Settings

_HEAD = """# Settings

*Written by `python -m admin docs` from `shared/settings.py`; change it there.*

A setting is an app setting of the function app in Azure, and a member of `Values` in `local.settings.json` on your
machine ([a sample](../local.settings.sample.json) holds those that must be given). An empty value counts as not given.
Everything that is wrong is named in one sentence, `SETTINGS_INVALID`, which never shows a value. Until it is corrected
the HTTP functions answer 503 and 502, and messages end in the dead-letter queues, from which
`python -m admin parked replay` brings them back.
"""
_TAIL = """
## Settings that Dynamics 365 also holds

An administrator of Dynamics 365 can change these as environment variables there, without access to Azure: the *current*
value, never the default. They are read again every five minutes. A value given as an app setting wins.

| setting | environment variable |
|---|---|
{rows}

## Settings of the platform

`FUNCTIONS_WORKER_RUNTIME` is `python`. `AzureWebJobsStorage` is the storage account that the host's timers need.
`PYTHON_THREADPOOL_THREAD_COUNT` is how many functions run at once in one process: four for each of the six queues and
a few for HTTP make 32.
"""
_SECTION = re.compile(r"^    # -- (.+?) -+$")
_FIELD = re.compile(r"^    (\w+):")
_ADDRESSES = {"_https": "`https://` address", "_reachable": "`https://` address, `http://` on loopback"}


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for section, fields in _sections():
        heading = section[0].upper() + section[1:]
        parts.append(f"## {heading}\n\n| setting | default | meaning | check |\n|---|---|---|---|")
        parts += [f"| {_name(field)} | {_default(field)} | {_meaning(field)} | {_check(field)} |" for field in fields]
        parts.append("")
    rows = "\n".join(f"| `{setting}` | `{variable}` |" for setting, variable in FROM_DATAVERSE.items())
    return "\n".join(parts) + _TAIL.format(rows=rows)


def environment_name(field: str) -> str:
    """The name in the environment."""
    return Settings.model_fields[field].alias or field.upper()


def _sections() -> Iterator[tuple[str, list[str]]]:
    """Comment line → the fields below it, in the order of the source."""
    title, fields = "", list[str]()
    for line in inspect.getsource(Settings).splitlines():
        if section := _SECTION.match(line):
            if fields:
                yield title, fields
            title, fields = section[1], []
        elif (field := _FIELD.match(line)) and field[1] in Settings.model_fields:
            fields.append(field[1])
    yield title, fields


def _name(field: str) -> str:
    return f"`{environment_name(field)}`"


def _default(field: str) -> str:
    info = Settings.model_fields[field]
    if info.is_required():
        return "**must be given**"
    if info.default is None:
        return "–"
    if isinstance(info.default, bool):
        return "yes" if info.default else "no"
    values = info.default if isinstance(info.default, tuple) else (info.default,)
    return ", ".join(f"`{value}`" for value in values)


def _meaning(field: str) -> str:
    text = Settings.model_fields[field].description or ""
    for other in sorted(Settings.model_fields, key=len, reverse=True):
        text = re.sub(rf"\b{other}\b", f"`{environment_name(other)}`", text) if "_" in other else text
    return text if _is_read(field) else f"{text} *(nothing reads it yet)*"


def _is_read(field: str) -> bool:
    return re.search(rf"\.{field}\b", _source()) is not None


@cache
def _source() -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in Path(shared.__file__).parent.rglob("*.py"))


def _check(field: str) -> str:
    """What the value must look like."""
    schema: dict[str, Any] = _schemas()[field]
    schema = schema | next((kind for kind in schema.get("anyOf", ()) if kind["type"] != "null"), {})
    for name in _validators(_types()[field]):
        if name in _ADDRESSES:
            return _ADDRESSES[name]
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("format") == "password":
        return "secret"
    if "pattern" in schema:
        return "GUID" if "[0-9a-f]{8}" in schema["pattern"] else "logical column name"
    return {
        "boolean": "yes or no",
        "array": "comma separated",
        "integer": f"whole number{_range(schema)}",
        "number": f"number{_range(schema)}",
    }.get(schema["type"], "text")


@cache
def _schemas() -> dict[str, Any]:
    properties: dict[str, Any] = Settings.model_json_schema(by_alias=False)["properties"]
    return properties


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(Settings, include_extras=True)


def _range(schema: dict[str, Any]) -> str:
    low, high, above = schema.get("minimum"), schema.get("maximum"), schema.get("exclusiveMinimum")
    if low is not None and high is not None:
        return f", {low:g} to {high:g}"
    if low is not None:
        return f", {low:g} or more"
    return f", more than {above:g}" if above is not None else ""


def _validators(hint: Any) -> Iterator[str]:
    """Names of the functions that check a value, however deep they stand in the annotation."""
    for argument in get_args(hint):
        yield getattr(getattr(argument, "func", None), "__name__", "")
        yield from _validators(argument)
