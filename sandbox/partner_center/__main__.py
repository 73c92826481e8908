"""`python -m sandbox.partner_center --state DIR`: wires the simulator together and serves it."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from sandbox.layout import Layout
from sandbox.partner_center.api import ReferralsApi
from sandbox.partner_center.control import Control
from sandbox.partner_center.deals import Deals
from sandbox.partner_center.events import Events
from sandbox.partner_center.microsoft import Microsoft
from sandbox.partner_center.portal import Portal
from sandbox.partner_center.registration import RegistrationApi
from sandbox.partner_center.rendering import render_refusal
from sandbox.partner_center.sending import Sender
from sandbox.partner_center.signing import Signing
from sandbox.partner_center.store import Store
from sandbox.web import Refusal, Simulator, layout_from_arguments, serve

_EXPIRY_EVERY_S = 0.5


def _stop_when_it_fails(task: asyncio.Task[None]) -> None:
    """Better no simulator than one that silently delivers nothing any more."""
    if not task.cancelled() and (error := task.exception()) is not None:
        logging.getLogger(__name__).critical("A background task failed; stopping.", exc_info=error)
        signal.raise_signal(signal.SIGTERM)


def build(layout: Layout) -> Starlette:
    """The application; its state is in the layout's directory."""

    def refuse(request: Request, refusal: Refusal) -> Response:
        return render_refusal(request, refusal, simulator.now())

    def reset() -> None:
        store.clear()
        sender.forget()

    simulator = Simulator("partner_center", layout, refuse=refuse, reset=reset)
    store = Store(layout.state / "partner-center.db")
    events = Events(store, simulator.now)
    deals = Deals(layout, store, events, simulator.now)
    signing = Signing(layout)
    sender = Sender(layout, store, events, signing, simulator.now)

    async def expire() -> None:
        while True:
            deals.expire_due()
            await asyncio.sleep(_EXPIRY_EVERY_S)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(sender.run()), asyncio.create_task(expire())]
        for task in tasks:
            task.add_done_callback(_stop_when_it_fails)
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    routes = [
        *Control(deals, events, sender, signing).routes(),
        *Microsoft(deals).routes(),
        *Portal(deals).routes(),
        *RegistrationApi(deals, events).routes(),
        *ReferralsApi(deals).routes(),
    ]
    return simulator.app(routes, lifespan=lifespan)


if __name__ == "__main__":
    _layout = layout_from_arguments("partner_center")
    serve(build(_layout), _layout, "partner_center")
