"""The Entra simulator's switches below `/_sim`: MFA, role, rotation, lifetimes, revocation, consent. Our own invention.

Each route is one change of `directory`; nothing here is an answer of Microsoft's.
"""

from __future__ import annotations

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.entra.directory import Directory
from sandbox.web import Refusal, json_body


class Control:
    """Routes below /_sim."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def routes(self) -> list[Route]:
        return [
            Route("/_sim/switches", self.read, methods=["GET"]),
            Route("/_sim/switches", self.change, methods=["PUT"]),
            Route("/_sim/mfa", self.mfa, methods=["POST"]),
            Route("/_sim/roles", self.role, methods=["POST"]),
            Route("/_sim/revoke", self.revoke, methods=["POST"]),
            Route("/_sim/consent", self.consent, methods=["POST"]),
        ]

    async def read(self, request: Request) -> Response:
        return JSONResponse(self._directory.switches.model_dump())

    async def change(self, request: Request) -> Response:
        """Any of the fields of `Switches`."""
        return self._switch(await json_body(request))

    async def mfa(self, request: Request) -> Response:
        """`{"enabled": false}`: user tokens no longer carry the second factor."""
        body = await json_body(request)
        return self._switch({"mfa": body.get("enabled") if isinstance(body, dict) else None})

    async def role(self, request: Request) -> Response:
        """`{"role": "ReferralsAdmin" | "ReferralsUser" | "none"}` of the service user."""
        body = await json_body(request)
        return self._switch({"role": body.get("role") if isinstance(body, dict) else None})

    async def revoke(self, request: Request) -> Response:
        """Every refresh token dies, as after a password change."""
        return JSONResponse({"revoked": self._directory.revoke_refresh_tokens()})

    async def consent(self, request: Request) -> Response:
        """`{"user_code": …, "approve": true}`: what a person does on the sign-in page."""
        body = await json_body(request)
        if not isinstance(body, dict) or not isinstance(body.get("user_code"), str):
            raise Refusal(400, "", 'Send {"user_code": "…", "approve": true}.')
        if not self._directory.answer_device_code(body["user_code"], approve=body.get("approve", True) is True):
            raise Refusal(404, "", "No sign-in waits for this code.")
        return Response(status_code=204)

    def _switch(self, changes: object) -> Response:
        if not isinstance(changes, dict):
            raise Refusal(400, "", "Send a JSON object.")
        try:
            return JSONResponse(self._directory.switch(changes).model_dump())
        except ValidationError as error:
            first = error.errors()[0]
            raise Refusal(400, "", f"{'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
