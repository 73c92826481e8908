"""Reads Web API addresses: path segments with keys, and the query options with nested `$expand`.

Purely syntactic; whether a name exists is found out by `query` and `rows`. Refuses what cannot be read with 400.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.dataverse import errors

API_ROOT = "/api/data/v9.2"
_KNOWN_OPTIONS = frozenset(
    {"select", "filter", "orderby", "top", "count", "expand", "skiptoken", "deltatoken", "apply", "levels"}
)


@dataclass(frozen=True)
class Segment:
    """`name`, with `key` when there were parentheses: the text of a single value, or column → literal text."""

    name: str
    key: str | Mapping[str, str] | None = None


@dataclass(frozen=True)
class Options:
    """The `$` options of one level. `None` in `select` means all columns."""

    select: tuple[str, ...] | None = None
    filter: str | None = None
    orderby: tuple[tuple[str, bool], ...] = ()
    """Property and whether descending."""
    top: int | None = None
    count: bool = False
    expand: tuple[tuple[str, Options], ...] = ()
    skiptoken: str | None = None
    deltatoken: str | None = None
    given: frozenset[str] = field(default_factory=frozenset)


def segments(raw_path: str) -> list[Segment]:
    """Segments of a path below the API root; percent-escapes are resolved within each segment."""
    return [_segment(unquote(part)) for part in split(raw_path.strip("/"), "/") if part]


def options(query: str) -> tuple[Options, dict[str, str]]:
    """The `$` options and the other parameters (`tag`, …) of a query string."""
    system: dict[str, str] = {}
    other: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name.startswith("$"):
            system[name[1:]] = value
        else:
            other[name] = value
    return _options(system), other


def split_reference(uri: str) -> list[Segment]:
    """The segments of a bind value or `@odata.id`: relative, rooted or absolute."""
    path = urlsplit(uri).path if "://" in uri else uri
    if path.startswith(API_ROOT):
        path = path[len(API_ROOT) :]
    return segments(path)


def split(text: str, separator: str) -> list[str]:
    """Split outside quotes and parentheses."""
    parts, depth, quoted, start = [], 0, False, 0
    for place, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    parts.append(text[start:])
    return parts


def literal_text(text: str) -> str:
    """A key literal without its quotes."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    return text


def _segment(text: str) -> Segment:
    name, opened, rest = text.partition("(")
    if not opened:
        return Segment(name)
    if not rest.endswith(")"):
        raise errors.syntax(f"Bad Request - Error in query syntax: '{text}'.")
    inner = rest[:-1].strip()
    if not inner:
        return Segment(name, {})
    if len(split(inner, "=")) == 1:
        return Segment(name, literal_text(inner))
    keys: dict[str, str] = {}
    for pair in split(inner, ","):
        column, equals, value = pair.partition("=")
        if not equals:
            raise errors.syntax(f"Bad Request - Error in query syntax: '{pair}'.")
        keys[column.strip()] = value.strip()
    return Segment(name, keys)


def _options(system: Mapping[str, str]) -> Options:
    unknown = next((name for name in system if name not in _KNOWN_OPTIONS), None)
    if unknown is not None:
        raise errors.syntax(f"The query parameter '${unknown}' is not supported.")
    return Options(
        select=tuple(_names(system["select"])) if system.get("select", "*").strip() != "*" else None,
        filter=system.get("filter"),
        orderby=tuple(_orders(system.get("orderby", ""))),
        top=_number(system["top"]) if "top" in system else None,
        count=system.get("count", "false").lower() == "true",
        expand=_expands(system.get("expand", "")),
        skiptoken=system.get("skiptoken"),
        deltatoken=system.get("deltatoken"),
        given=frozenset(system),
    )


def _names(text: str) -> Iterator[str]:
    return (name.strip() for name in text.split(",") if name.strip())


def _orders(text: str) -> Iterator[tuple[str, bool]]:
    for part in _names(text):
        name, _, direction = part.partition(" ")
        if direction.strip() not in ("", "asc", "desc"):
            raise errors.syntax(f"Syntax error in '$orderby={text}'.")
        yield name, direction.strip() == "desc"


@lru_cache(maxsize=256)
def _expands(text: str) -> tuple[tuple[str, Options], ...]:
    """Kept by their text, which a client repeats with every read; what cannot be read is not kept."""
    return tuple(_each_expand(text))


def _each_expand(text: str) -> Iterator[tuple[str, Options]]:
    for part in split(text, ","):
        if not part.strip():
            continue
        name, opened, rest = part.strip().partition("(")
        nested: dict[str, str] = {}
        if opened:
            if not rest.endswith(")"):
                raise errors.syntax(f"Syntax error in '$expand={text}'.")
            for option in split(rest[:-1], ";"):
                key, equals, value = option.strip().partition("=")
                if not equals or not key.startswith("$"):
                    raise errors.syntax(f"Syntax error in '$expand={text}'.")
                nested[key[1:]] = value
        yield name.strip(), _options(nested)


def _number(text: str) -> int:
    if not text.isdigit():
        raise errors.syntax(f"Invalid value '{text}' for $top query option found.")
    return int(text)
