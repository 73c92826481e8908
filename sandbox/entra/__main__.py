"""`python -m sandbox.entra --state DIR`: wires the simulator together and serves it."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.entra.control import Control
from sandbox.entra.directory import Directory
from sandbox.entra.key_vault import KeyVault, render_vault
from sandbox.entra.sign_in import SignIn
from sandbox.entra.token_endpoint import TokenEndpoint, render_oauth
from sandbox.layout import Layout
from sandbox.web import Refusal, Simulator, layout_from_arguments, serve


def build(layout: Layout) -> Starlette:
    """The application; its state is in the layout's directory."""

    def refuse(request: Request, refusal: Refusal) -> Response:
        if request.url.path.startswith("/secrets"):
            return render_vault(refusal)
        return render_oauth(request, refusal, simulator.now().strftime("%Y-%m-%d %H:%M:%SZ"))

    simulator = Simulator("entra", layout, refuse=refuse, reset=lambda: directory.reset())
    directory = Directory(layout, simulator.now)
    tokens = TokenEndpoint(layout, directory, simulator)
    return simulator.app(
        [
            *Control(directory).routes(),
            *KeyVault(layout, directory, simulator).routes(),
            *SignIn(layout, directory).routes(),
            Route("/{tenant}/oauth2/v2.0/token", tokens.version_2, methods=["POST"]),
            Route("/{tenant}/oauth2/token", tokens.version_1, methods=["POST"]),
        ]
    )


if __name__ == "__main__":
    _layout = layout_from_arguments("entra")
    serve(build(_layout), _layout, "entra")
