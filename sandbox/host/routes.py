"""Which function an HTTP request is for: route templates as ASP.NET reads them. Pure.

`deals/{id}`, `{id:int}`, optional `{id?}` and the rest of the path `{*path}`; letter case and a trailing slash do not
matter. Fixed segments win over parameters. A known path with another method is "not found", as on the real host.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.host.configuration import StartError
from sandbox.host.triggers import Function, HttpTrigger

_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?::(?P<kind>\w+))?(?P<optional>\?)?\}")
_KINDS = {
    None: r"[^/]+",
    "int": r"-?\d+",
    "long": r"-?\d+",
    "bool": r"true|false",
    "alpha": r"[A-Za-z]+",
    "guid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}


@dataclass(frozen=True)
class Route:
    function: Function
    trigger: HttpTrigger
    pattern: re.Pattern[str]
    rank: tuple[int, ...]
    """Sorts fixed segments before parameters."""


def build(functions: Iterable[Function], prefix: str) -> list[Route]:
    """The routes of all HTTP functions, best match first; StartError for a template that cannot be read."""
    routes = []
    for function in functions:
        if isinstance(function.trigger, HttpTrigger):
            template = "/".join(part for part in (prefix, (function.trigger.route or function.name).strip("/")) if part)
            pattern, rank = _compile(template, function.name)
            routes.append(Route(function, function.trigger, pattern, rank))
    return sorted(routes, key=lambda route: route.rank)


def match(routes: Iterable[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The first route for this request with its parameters; None when the host must answer 404."""
    for route in routes:
        found = route.pattern.fullmatch(path)
        if found and (not route.trigger.methods or method.upper() in route.trigger.methods):
            return route, {name: value for name, value in found.groupdict().items() if value is not None}
    return None


def _compile(template: str, function: str) -> tuple[re.Pattern[str], tuple[int, ...]]:
    expression, rank = "", []
    for segment in template.split("/"):
        whole = _PARAMETER.fullmatch(segment)
        if whole and whole["rest"]:
            expression += f"(?:/(?P<{whole['name']}>.*))?"
            rank.append(3)
        elif whole and whole["optional"]:
            expression += f"(?:/(?P<{whole['name']}>{_kind(whole, function)}))?"
            rank.append(2)
        else:
            expression += "/" + _segment(segment, function)
            rank.append(1 if "{" in segment else 0)
    return re.compile(expression + "/?", re.IGNORECASE), tuple(rank)


def _segment(segment: str, function: str) -> str:
    expression, end = "", 0
    for found in _PARAMETER.finditer(segment):
        expression += re.escape(segment[end : found.start()]) + f"(?P<{found['name']}>{_kind(found, function)})"
        end = found.end()
    rest = segment[end:]
    if "{" in rest or "}" in rest:
        raise StartError(f'Function {function} has the route segment "{segment}", which cannot be read.')
    return expression + re.escape(rest)


def _kind(found: re.Match[str], function: str) -> str:
    if found["kind"] not in _KINDS:
        raise StartError(f"Function {function} constrains {found['name']} to {found['kind']}, which is not known here.")
    return _KINDS[found["kind"]]
