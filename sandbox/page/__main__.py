"""`python -m sandbox.page --state DIR`: serves the live page on the layout's page port."""

from __future__ import annotations

import signal
import sys

import uvicorn

from sandbox.page.server import Page
from sandbox.serving import layout_from_arguments


class _Server(uvicorn.Server):
    """Says when it listens."""

    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        if self.started:
            print(f"ready {layout.page_url}", flush=True)


if __name__ == "__main__":
    layout = layout_from_arguments("page")
    config = uvicorn.Config(
        Page(layout).app(),
        host="127.0.0.1",
        port=layout.ports["page"],
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    # uvicorn finishes what runs and then raises the signal again; the second time it ends the process quietly.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    _Server(config).run()
