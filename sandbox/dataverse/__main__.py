"""`python -m sandbox.dataverse --state DIR`: HTTP in front of the environment, the outbox behind it.

Turns HTTP requests into `ApiRequest` for three doors: the Web API (bearer token of the application user), and below
`/_sim` the same API as any user, without a token and outside the request log. Everything else is in `api`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.dataverse import api, control, errors, seed
from sandbox.dataverse.environment import Caller, Environment
from sandbox.dataverse.outbox import Outbox
from sandbox.dataverse.url import API_ROOT, options
from sandbox.dataverse.wire import ApiRequest, ApiResponse, preferences
from sandbox.layout import Layout
from sandbox.web import Refusal, Simulator, layout_from_arguments, require_token, serve

_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]


def application(layout: Layout) -> Starlette:
    """The whole simulator as an ASGI application."""

    def refuse(request: Request, refusal: Refusal) -> Response:
        """The vendor's shape for what is refused outside `api`: tokens, faults, unknown addresses."""
        return _http(api.rendered(env, refusal, preferences(request.headers)))

    def start_over() -> None:
        """As on the first day; the clock goes back, so what was counted later than now goes too."""
        with outbox.still():
            seed.start(env)
        limits.forget()

    simulator = Simulator("dataverse", layout, refuse=refuse, reset=start_over)
    env = Environment(layout, simulator.now)
    if not env.store.all("organization"):
        seed.start(env)
    outbox, limits = Outbox(env), api.Limits()

    async def as_connector(request: Request) -> Response:
        claims = require_token(request, layout, layout.dataverse_url)
        user = next(
            (i for i, row in env.store.all("systemuser").items() if row.get("applicationid") == claims.client_id), None
        )
        if user is None:
            raise Refusal(403, "0x80072560", "The user is not a member of the organization.")
        return await serve_as(request, user, is_connector=True)

    async def as_user(request: Request) -> Response:
        user = request.path_params.get("user", layout.seller_user_id).lower()
        if env.store.get("systemuser", user) is None:
            raise errors.missing("systemuser", user)
        return await serve_as(request, user, is_connector=False)

    async def serve_as(request: Request, user: str, *, is_connector: bool) -> Response:
        if (env.store.get("systemuser", user) or {}).get("isdisabled"):
            raise Refusal(
                403, "0x80040225", "The specified user is either disabled or is not a member of any business unit."
            )
        body = await request.body()
        response = api.answer(env, _api_request(request, body, user, is_connector=is_connector), limits)
        if request.method != "GET":
            outbox.wake()
        return _http(response)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        outbox.wake()
        yield
        outbox.stop()

    doors = [
        Route(f"{API_ROOT}/{{path:path}}", as_connector, methods=_METHODS),
        Route(f"/_sim{API_ROOT}/{{path:path}}", as_user, methods=_METHODS),
        Route(f"/_sim/user/{{user}}{API_ROOT}/{{path:path}}", as_user, methods=_METHODS),
    ]
    return simulator.app([*control.routes(env, outbox), *doors], lifespan=lifespan)


def _api_request(request: Request, body: bytes, user: str, *, is_connector: bool) -> ApiRequest:
    raw_path = request.scope["raw_path"].decode("latin-1")
    before, _, path = raw_path.partition(f"{API_ROOT}/")
    query = request.scope["query_string"].decode("latin-1")
    headers = {name.lower(): value for name, value in request.headers.items()}
    caller = Caller(
        user_id=user,
        is_connector=is_connector,
        user_agent=headers.get("user-agent", ""),
        tag=options(query)[1].get("tag") if "tag=" in query else None,
        request_id=headers.get("x-ms-client-request-id"),
    )
    root = f"https://{headers.get('host', 'localhost')}{before}{API_ROOT}"
    return ApiRequest(request.method, path, query, headers, body, caller, root)


def _http(response: ApiResponse) -> Response:
    headers = {"Content-Type": "application/json; odata.metadata=minimal"} if response.body is not None else {}
    return Response(response.content(), response.status, headers | response.headers)


def main() -> None:
    layout = layout_from_arguments("dataverse")
    serve(application(layout), layout, "dataverse")


if __name__ == "__main__":
    main()
