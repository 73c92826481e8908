"""The page's routes: three files, one document to read, and what a person may do. Plain HTTP on loopback.

Requests that change something must be JSON and come to this very host, so that no other web page open in the same
browser can send them. Answers to failures are `{"error": sentence}`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import requests
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sandbox.clients import MicrosoftAction, Refused
from sandbox.layout import Layout
from sandbox.page.actions import Actions, Change, NewDeal, Side
from sandbox.page.board import Board
from sandbox.page.switches import Switches

_STATIC = Path(__file__).parent / "static"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_FIELDS = {"value": "the deal value", "closing_date": "the closing date", "name": "the deal name"}


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    accepted: bool


class Act(BaseModel):
    model_config = ConfigDict(extra="forbid")
    action: MicrosoftAction


class Turn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    on: bool


class Page:
    """The endpoints over one sandbox."""

    def __init__(self, layout: Layout) -> None:
        self._board = Board(layout)
        self._actions = Actions(layout)
        self._switches = Switches(layout)

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/", self.index),
                Route("/api/board", self.board),
                Route("/api/{side}/deals", self.create, methods=["POST"]),
                Route("/api/{side}/deals/{deal}", self.change, methods=["PATCH"]),
                Route("/api/dynamics-365/deals/{deal}/answer", self.answer, methods=["POST"]),
                Route("/api/engagements/{deal}/microsoft", self.microsoft, methods=["POST"]),
                Route("/api/switches/{name}", self.turn, methods=["PUT"]),
                Mount("/static", StaticFiles(directory=_STATIC)),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
            exception_handlers={
                HTTPException: _sentence,
                ValidationError: _invalid,
                Refused: _refused,
                requests.RequestException: _unreachable,
            },
        )

    async def index(self, _: Request) -> Response:
        return FileResponse(_STATIC / "index.html", headers=_HEADERS)

    async def board(self, _: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._board.read), headers=_HEADERS)

    async def create(self, request: Request) -> Response:
        return await _done(self._actions.create, _side(request), await _body(request, NewDeal))

    async def change(self, request: Request) -> Response:
        change = await _body(request, Change)
        return await _done(self._actions.change, _side(request), _guid(request), change)

    async def answer(self, request: Request) -> Response:
        answer = await _body(request, Answer)
        return await _done(self._actions.answer, _guid(request), answer.accepted)

    async def microsoft(self, request: Request) -> Response:
        act = await _body(request, Act)
        return await _done(self._actions.microsoft, _guid(request), act.action)

    async def turn(self, request: Request) -> Response:
        turn = await _body(request, Turn)
        name = request.path_params["name"]
        if name not in await run_in_threadpool(self._switches.states):
            raise HTTPException(404, f"There is no switch {name}.")
        return await _done(self._switches.set, name, turn.on)


async def _done(action: Callable[..., None], *arguments: Any) -> Response:
    await run_in_threadpool(action, *arguments)
    return Response(status_code=204, headers=_HEADERS)


async def _body[Model: BaseModel](request: Request, model: type[Model]) -> Model:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "Send JSON (content type application/json).")
    return model.model_validate_json(await request.body())


def _side(request: Request) -> Side:
    for side in get_args(Side):
        if request.path_params["side"] == side:
            return side  # type: ignore[no-any-return]  # get_args loses the literal's type
    raise HTTPException(404, f"There is no side {request.path_params['side']}.")


def _guid(request: Request) -> str:
    try:
        return str(uuid.UUID(request.path_params["deal"]))
    except ValueError:
        raise HTTPException(404, "There is no such deal.") from None


async def _sentence(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    return JSONResponse({"error": error.detail}, error.status_code, _HEADERS)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)  # noqa: S101 - registered for this class only
    first = error.errors(include_url=False, include_input=False)[0]
    place = str(first["loc"][0]) if first["loc"] else "the request"
    return JSONResponse({"error": f"Please correct {_FIELDS.get(place, place)}: {first['msg']}."}, 400, _HEADERS)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - registered for this class only
    return JSONResponse({"error": error.sentence}, 409, _HEADERS)


async def _unreachable(_: Request, error: Exception) -> Response:
    return JSONResponse(
        {"error": "That part of the sandbox does not answer; it may be restarting. Try again in a moment."},
        503,
        _HEADERS,
    )
