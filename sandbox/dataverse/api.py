"""The Web API's dispatcher: limits, then the module that serves the address, then headers and the error shape.

`answer` never raises a `Refusal`; it renders it.
HTTP stays in `__main__`, so that parts of a `$batch` take this way too.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable

from sandbox.dataverse import actions, batch, errors, metadata, metadata_writes, query, rows, solutions, tracking
from sandbox.dataverse.binding import table_of
from sandbox.dataverse.environment import Environment
from sandbox.dataverse.schema import Table
from sandbox.dataverse.url import Options, Segment, options, segments
from sandbox.dataverse.wire import ApiRequest, ApiResponse, Preferences, preferences
from sandbox.tokens import Refusal

type Handler = Callable[[Environment, ApiRequest], ApiResponse]

_UNBOUND: dict[tuple[str, str], Handler] = {
    ("GET", "WhoAmI"): actions.who_am_i,
    ("GET", "RetrieveCurrentOrganization"): actions.current_organization,
    ("POST", "WinOpportunity"): actions.win,
    ("POST", "LoseOpportunity"): actions.lose,
    ("POST", "InsertOptionValue"): metadata_writes.insert_option,
    ("POST", "InsertStatusValue"): metadata_writes.insert_status,
    ("POST", "ReactivateEntityKey"): metadata_writes.reactivate_key,
    ("POST", "PublishXml"): metadata_writes.publish,
    ("POST", "PublishAllXml"): metadata_writes.publish,
    ("POST", "AddSolutionComponent"): solutions.add_component,
}
_PRIVILEGED_HEADERS = {
    "mscrm.bypasscustompluginexecution": "prvBypassCustomPlugins",
    "mscrm.bypassbusinesslogicexecution": "prvBypassCustomBusinessLogic",
    "mscrm.bypassbusinesslogicexecutionstepids": "prvBypassCustomBusinessLogic",
    "mscrmcallerid": "prvActOnBehalfOfAnotherUser",
    "callerobjectid": "prvActOnBehalfOfAnotherUser",
}
_THROTTLED = {
    "requests": (
        "0x80072322",
        "Number of requests exceeded the limit of {limit} over time window of {window} seconds.",
    ),
    "time": (
        "0x80072321",
        "Combined execution time of incoming requests exceeded limit of 1,200,000 milliseconds over time window of"
        " {window} seconds. Decrease number of concurrent requests or reduce the duration of requests and try again"
        " later.",
    ),
    "concurrency": ("0x80072326", "Number of concurrent requests exceeded the limit of 52."),
}


class Limits:
    """The sliding window of requests that each user has."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}

    def forget(self) -> None:
        """Nobody has asked for anything yet."""
        self._times.clear()

    def take(self, env: Environment, user_id: str) -> int:
        """Count one request; how many are left. 429 with the seconds to wait when none was."""
        limit, window = env.switches.requests_per_window, env.switches.window_s
        now, times = env.now().timestamp(), self._times.setdefault(user_id, deque())
        while times and times[0] <= now - window:
            times.popleft()
        if len(times) >= limit:
            wait = int(times[len(times) - limit] + window - now) + 1
            raise Refusal(429, "", "", headers={"Retry-After": str(wait)})
        times.append(now)
        return limit - len(times)


def answer(env: Environment, request: ApiRequest, limits: Limits) -> ApiResponse:
    """The response to one request, errors included."""
    left: int | None = None
    try:
        if request.path.strip("/") == "$batch" and request.method == "POST":
            response = batch.run(env, request, lambda part: answer(env, part, limits))
        else:
            # A batch saves no quota: each of its parts is counted, the batch itself is not.
            left = limits.take(env, request.caller.user_id) if request.caller.is_connector else None
            response = dispatch(env, request)
    except Refusal as refusal:
        response = rendered(env, refusal, preferences(request.headers))
    response.headers["OData-Version"] = "4.0"
    response.headers["x-ms-service-request-id"] = str(uuid.uuid4())
    if left is not None:
        response.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] = str(left)
    return response


def rendered(env: Environment, refusal: Refusal, prefer: Preferences) -> ApiResponse:
    """The vendor's error shape. Codes that a planted fault leaves open are filled in by status."""
    code, message = refusal.code, refusal.message
    if refusal.status == 429:
        code, message = _THROTTLED[env.switches.throttle]
        message = message.format(limit=env.switches.requests_per_window, window=env.switches.window_s)
    elif not code.startswith("0x"):
        code = {403: errors.PRIVILEGE_DENIED, 404: errors.NOT_FOUND, 500: "0x80040216"}.get(refusal.status, "")
    error: dict[str, str] = {"code": code, "message": message}
    if "*" in prefer.annotations:
        error |= {
            "@Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus": "0",
            "@Microsoft.PowerApps.CDS.HelpLink": "http://go.microsoft.com/fwlink/?LinkID=398563",
            "@Microsoft.PowerApps.CDS.InnerError.Message": message,
        }
    return ApiResponse(refusal.status, {"error": error}, dict(refusal.headers))


def dispatch(env: Environment, request: ApiRequest) -> ApiResponse:
    """Serve one request; raises `Refusal`."""
    _check_headers(env, request)
    path = segments(request.path)
    wanted, _ = options(request.query)
    prefer = preferences(request.headers)
    if not path:
        sets = [
            {"name": table.set_name, "kind": "EntitySet", "url": table.set_name} for table in env.schema.tables.values()
        ]
        return ApiResponse(200, {"@odata.context": f"{request.root}/$metadata", "value": sets})
    unbound = _UNBOUND.get((request.method, path[0].name))
    if unbound is not None:
        return unbound(env, request)
    if path[0].name in metadata.ROOTS:
        if request.method == "GET":
            return metadata.read(env, request, path, wanted)
        return metadata_writes.write(env, request, path)
    table = table_of(env, path[0].name)
    if request.method in ("POST", "PATCH"):
        query.check(env, table, wanted)  # before anything is written for the sake of an answer
    if path[0].key is None:
        return _on_set(env, request, table, path, wanted, prefer)
    return _on_row(env, request, table, path, wanted, prefer)


def _on_set(
    env: Environment, request: ApiRequest, table: Table, path: list[Segment], wanted: Options, prefer: Preferences
) -> ApiResponse:
    if len(path) == 2 and path[1].name == "$count" and request.method == "GET":
        count = query.collection(env, request, table, Options(filter=wanted.filter, count=True), prefer)
        return ApiResponse(200, str(count.body["@odata.count"]).encode(), {"Content-Type": "text/plain"})
    if len(path) > 1:
        raise errors.no_resource(path[1].name)
    if request.method == "GET":
        if prefer.track_changes or wanted.deltatoken is not None:
            return tracking.page(env, request, table, wanted, prefer)
        return query.collection(env, request, table, wanted, prefer)
    if request.method == "POST":
        return rows.post(env, request, table, wanted, prefer)
    raise _not_allowed(request)


def _on_row(
    env: Environment, request: ApiRequest, table: Table, path: list[Segment], wanted: Options, prefer: Preferences
) -> ApiResponse:
    me, method = path[0], request.method
    if len(path) == 1:
        if method == "GET":
            _, row = rows.existing(env, table, me)
            return query.single(env, request, table, row, wanted, prefer)
        if method == "PATCH":
            return rows.patch(env, request, table, me, wanted, prefer)
        if method == "DELETE":
            return rows.delete(env, request, table, me)
        raise _not_allowed(request)
    name = path[1].name
    if len(path) == 3 and path[2].name == "$ref":
        return rows.reference(env, request, table, me, path[1])
    if len(path) > 2:
        raise errors.no_resource(path[2].name)
    if name.startswith("Microsoft.Dynamics.CRM."):
        if method == "POST" and name.endswith(".QualifyLead"):
            return actions.qualify_lead(env, request, table, me)
        raise errors.no_resource(name)
    if method == "GET" and (table.column_of_navigation(name) or env.schema.collection(table.name, name)):
        return _related(env, request, table, me, name, wanted, prefer)
    return rows.single_property(env, request, table, me, name)


def _related(
    env: Environment,
    request: ApiRequest,
    table: Table,
    me: Segment,
    navigation: str,
    wanted: Options,
    prefer: Preferences,
) -> ApiResponse:
    """GET of what a navigation property leads to: one row, or the rows of a child collection."""
    row_id, row = rows.existing(env, table, me)
    relationship = env.schema.collection(table.name, navigation)
    if relationship is not None:
        child = env.schema.tables[relationship.referencing]
        query.check(env, child, wanted)
        found = query.children(env, relationship, row_id, wanted, prefer)
        where = query.context(request, child, wanted)
        return ApiResponse(200, {"@odata.context": where, "value": found}, prefer.applied())
    column = table.column_of_navigation(navigation)
    ref = None if column is None else row.get(column.name)
    related = None if ref is None else env.store.get(*ref)
    if ref is None or related is None:
        return ApiResponse(204)
    return query.single(env, request, env.schema.tables[ref.table], related, wanted, prefer)


def _check_headers(env: Environment, request: ApiRequest) -> None:
    if not request.caller.is_connector:
        return
    for header, privilege in _PRIVILEGED_HEADERS.items():
        if header in request.headers:
            raise errors.privilege_denied(privilege, request.caller.user_id)
    kind = request.headers.get("content-type", "application/json")
    if request.body and not kind.lower().startswith(("application/json", "multipart/mixed")):
        raise Refusal(415, errors.SYNTAX, f"The content type '{kind}' is not supported; send application/json.")


def _not_allowed(request: ApiRequest) -> Refusal:
    return Refusal(405, errors.SYNTAX, f"The HTTP method {request.method} is not allowed on this address.")
