"""Change tracking: a first full read that ends in a delta link, then what was written and deleted since.

A delta token is a version number and the moment it was given out; it lives as long as the organisation says.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from sandbox.dataverse import errors, query
from sandbox.dataverse.environment import Environment
from sandbox.dataverse.schema import Table
from sandbox.dataverse.store import Change
from sandbox.dataverse.url import Options
from sandbox.dataverse.wire import ApiRequest, ApiResponse, Preferences, require_privilege

_TOKEN = re.compile(r"^(\d+)!(.+)$")
_MOMENT = "%m/%d/%Y %H:%M:%S"


def page(env: Environment, request: ApiRequest, table: Table, options: Options, prefer: Preferences) -> ApiResponse:
    """One page of the first read, or of a delta when the address carries a token."""
    require_privilege(env, request.caller, "Read", table)
    refused = next((name for name in ("filter", "orderby", "expand", "top") if name in options.given), None)
    if refused is not None:
        raise errors.syntax(f'The "{refused}" query parameter isn\'t supported when Change Tracking is enabled.')
    if not table.change_tracking:
        raise errors.invalid(f"Change tracking is not enabled for the table {table.name}.")
    query.check(env, table, options)
    since, first = 0, True
    if options.deltatoken is not None:
        since, first = _since(env, options.deltatoken), False
    done, until = _resume(options.skiptoken, env.store.version)
    changes = [change for change in env.store.changes(max(since, done), table.name) if change.version <= until]
    if first:
        changes = [change for change in changes if change.row is not None]
    size = min(prefer.page_size or query.LARGEST_PAGE, query.LARGEST_PAGE)
    shown, rest = changes[:size], changes[size:]
    suffix = "" if first else "/$delta"
    body: dict[str, Any] = {"@odata.context": query.context(request, table, options, suffix)}
    if rest:
        body["@odata.nextLink"] = _link(request, f"$skiptoken={shown[-1].version}!{until}")
    else:
        token = quote(f"{until}!{env.now().strftime(_MOMENT)}", safe="")
        body["@odata.deltaLink"] = _link(request, f"$deltatoken={token}")
    body["value"] = [_entry(env, request, table, change, options, prefer) for change in shown]
    return ApiResponse(200, body, prefer.applied())


def _entry(
    env: Environment, request: ApiRequest, table: Table, change: Change, options: Options, prefer: Preferences
) -> dict[str, Any]:
    if change.row is not None:
        return query.entity(env, table, change.row, options, prefer)
    where = f"{request.root}/$metadata#{table.set_name}/$deletedEntity"
    return {"@odata.context": where, "id": change.id, "reason": "deleted"}


def _since(env: Environment, token: str) -> int:
    match = _TOKEN.match(token)
    try:
        given = datetime.strptime(match.group(2), _MOMENT).replace(tzinfo=UTC) if match else None
    except ValueError:
        given = None
    if match is None or given is None:
        raise errors.invalid("The delta token is not valid. Read the table in full again.")
    if given + timedelta(days=int(env.organization().get("expirechangetrackingindays", 7))) < env.now():
        raise errors.invalid("The delta token has expired. Read the table in full again.")
    return int(match.group(1))


def _resume(token: str | None, version: int) -> tuple[int, int]:
    """How far the earlier pages went, and the version at which the first of them was read."""
    if token is None:
        return 0, version
    done, mark, until = token.partition("!")
    if not mark or not done.isdigit() or not until.isdigit():
        raise errors.syntax("Malformed XML in the Paging Cookie.")
    return int(done), int(until)


def _link(request: ApiRequest, token: str) -> str:
    """The address again with another token; the delta token stays while a delta is paged."""
    replaced = (
        ("$skiptoken", "%24skiptoken")
        if token.startswith("$skip")
        else ("$skiptoken", "%24skiptoken", "$delta", "%24delta")
    )
    kept = [part for part in request.query.split("&") if part and not part.startswith(replaced)]
    return f"{request.root}/{request.path}?{'&'.join([*kept, token])}"
