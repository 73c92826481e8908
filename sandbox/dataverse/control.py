"""What tests and the live page do to the environment, below `/_sim`: switches, rows, changes, edits as another user.

Our own invention, beside the surface that all simulators share (`sandbox.web`). Everything here is JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dataverse import actions, seed
from sandbox.dataverse.environment import Caller, Environment, EventSwitches, Interleaved, RowSwitches
from sandbox.dataverse.outbox import Outbox
from sandbox.dataverse.schema import Table
from sandbox.dataverse.store import Row
from sandbox.dataverse.values import to_json
from sandbox.dataverse.wire import ApiRequest
from sandbox.web import Refusal, json_body


def routes(env: Environment, outbox: Outbox) -> list[Route]:
    """The control routes of this simulator."""

    async def idle(_: Request) -> Response:
        waiting = env.store.queues_waiting()
        pending = sum(waiting.values())
        still = pending == 0 or env.events.mode == "stopped"  # while stopped, nothing will move
        return JSONResponse({"idle": still, "posted": env.store.posted(), "pending": pending, "queues": waiting})

    async def rows(request: Request) -> Response:
        table = _table(env, request.path_params["table"])
        return JSONResponse([plain(table, row) for row in env.store.all(table.name).values()])

    async def changes(request: Request) -> Response:
        since = request.query_params.get("since", "0")
        if not since.isdigit():
            raise Refusal(400, "", "`since` is a version number.")
        found = [
            {
                "version": change.version,
                "table": change.table,
                "id": change.id,
                "row": None if change.row is None else plain(env.schema.tables[change.table], change.row),
            }
            for change in env.store.changes(int(since))
        ]
        return JSONResponse({"version": env.store.version, "changes": found})

    async def interleave(request: Request) -> Response:
        edit = await _model(request, Interleaved)
        _table(env, edit.table)
        edit.id, edit.user = edit.id.lower(), edit.user or env.layout.seller_user_id
        env.interleaved.append(edit)
        return Response(status_code=204)

    async def merge(request: Request) -> Response:
        body = await json_body(request)
        if not isinstance(body, dict) or not {"table", "keeper", "subordinate"} <= set(body):
            raise Refusal(400, "", 'Send {"table": "account", "keeper": id, "subordinate": id}.')
        table = _table(env, body["table"])
        ids = [str(body["keeper"]).lower(), str(body["subordinate"]).lower()]
        if table.name not in ("account", "contact") or any(env.store.get(table.name, i) is None for i in ids):
            raise Refusal(404, "", "Both must be accounts or both contacts that exist.")
        caller = Caller(env.layout.seller_user_id)
        actions.merge_rows(env, ApiRequest("POST", "Merge", "", {}, b"", caller, ""), table, *ids)
        outbox.wake()
        return Response(status_code=204)

    async def bare(_: Request) -> Response:
        seed.start(env, with_custom=False)
        return Response(status_code=204)

    return [
        Route("/_sim/idle", idle, methods=["GET"]),
        Route("/_sim/rows/{table}", rows, methods=["GET"]),
        Route("/_sim/changes", changes, methods=["GET"]),
        Route("/_sim/interleave", interleave, methods=["POST"]),
        Route("/_sim/merge", merge, methods=["POST"]),
        Route("/_sim/reset/bare", bare, methods=["POST"]),
        *_switch_routes("/_sim/events", EventSwitches, lambda: env.events, env.set_events, outbox),
        *_switch_routes("/_sim/switches", RowSwitches, lambda: env.switches, env.set_switches, outbox),
    ]


def plain(table: Table, row: Row) -> dict[str, Any]:
    """A row as the Web API would write its values, under the columns' own names, lookups with their table."""
    shown: dict[str, Any] = {"id": row[table.primary_id]}
    for name, value in row.items():
        column = table.columns.get(name)
        if column is None or not column.readable:
            continue
        shown[name] = {"table": value.table, "id": value.id} if column.is_lookup else to_json(column, value)
    return shown


def _switch_routes[S: BaseModel](
    path: str, kind: type[S], read: Callable[[], S], write: Callable[[S], None], outbox: Outbox
) -> list[Route]:
    """GET shows the switches; PUT changes the named ones and leaves the others."""

    async def show(_: Request) -> Response:
        return JSONResponse(read().model_dump())

    async def turn(request: Request) -> Response:
        body = await json_body(request)
        if not isinstance(body, dict):
            raise Refusal(400, "", "Send a JSON object of switches.")
        write(_validated(kind, {**read().model_dump(), **body}))
        outbox.wake()
        return JSONResponse(read().model_dump())

    return [Route(path, show, methods=["GET"]), Route(path, turn, methods=["PUT"])]


async def _model[M: BaseModel](request: Request, kind: type[M]) -> M:
    return _validated(kind, await json_body(request))


def _validated[M: BaseModel](kind: type[M], body: Any) -> M:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise Refusal(400, "", f"{place}: {first['msg']}.") from error


def _table(env: Environment, name: str) -> Table:
    table = env.schema.tables.get(name)
    if table is None:
        raise Refusal(404, "", f"There is no table '{name}'; use a logical name such as opportunity.")
    return table
