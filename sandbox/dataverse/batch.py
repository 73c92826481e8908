"""`$batch`: reads the multipart request, runs its parts one after the other, and writes the multipart answer.

A change set is one transaction. The parts are served by the function given, so a batch knows nothing of rows; `$1` in
addresses and bodies is replaced by the address of the row that part 1 of the same change set made.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import urlsplit

from sandbox.dataverse import errors
from sandbox.dataverse.environment import Environment
from sandbox.dataverse.url import API_ROOT
from sandbox.dataverse.wire import ApiRequest, ApiResponse, preferences
from sandbox.tokens import Refusal

type Serve = Callable[[ApiRequest], ApiResponse]

LARGEST = 1000
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_BOUND = re.compile(r'("[^"]*@odata\.(?:bind|id)"\s*:\s*")(/?\$\w+)')
_REFERENCE = re.compile(r"^/?\$(\w+)")


@dataclass(frozen=True)
class _Part:
    """One MIME part: its own headers (names lower-case) and its content."""

    headers: Mapping[str, str]
    content: bytes


@dataclass
class _ChangeSetFailed(Exception):
    """Carries the first refusal out of the transaction, which is thereby undone."""

    response: ApiResponse
    made: dict[str, str] = field(default_factory=dict)


def run(env: Environment, request: ApiRequest, serve: Serve) -> ApiResponse:
    """The multipart answer; raises `Refusal` (plain JSON) when the batch itself cannot be read."""
    parts = _parts(request.headers.get("content-type", ""), request.body)
    sets = [_parts(p.headers["content-type"], p.content) if _is_multipart(p) else [p] for p in parts]
    if sum(len(inner) for inner in sets) > LARGEST:
        raise errors.syntax(f"The batch has more than {LARGEST} operations.")
    go_on = preferences(request.headers).continue_on_error
    boundary, written, failed = f"batchresponse_{uuid.uuid4()}", [], 0
    for part, inner in zip(parts, sets, strict=True):
        if _is_multipart(part):
            status, text = _change_set(env, request, inner, serve)
        else:
            response = serve(_request_of(request, part, {}))
            status, text = response.status, _http_part(response, None)
        written.append(f"--{boundary}\r\n".encode() + text)
        if status >= 400:
            failed = failed or status
            if not go_on:
                break
    body = b"".join(written) + f"--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/mixed; boundary={boundary}"}
    return ApiResponse(failed if failed and not go_on else 200, body, headers)


def _change_set(env: Environment, outer: ApiRequest, parts: list[_Part], serve: Serve) -> tuple[int, bytes]:
    """All or nothing; the status of the first failure, whose one part stands in for all answers."""
    boundary, written = f"changesetresponse_{uuid.uuid4()}", []
    try:
        with env.store.transaction():
            made: dict[str, str] = {}
            for part in parts:
                content_id = part.headers.get("content-id")
                if content_id is None:
                    raise errors.syntax("Every part of a change set needs a Content-ID header.")
                request = _request_of(outer, part, made)
                if request.method == "GET":
                    raise errors.syntax("A change set must not contain GET requests.")
                response = serve(request)
                if response.status >= 400:
                    raise _ChangeSetFailed(response)
                if "OData-EntityId" in response.headers:
                    made[content_id] = response.headers["OData-EntityId"]
                written.append(f"--{boundary}\r\n".encode() + _http_part(response, content_id))
    except _ChangeSetFailed as failure:
        return failure.response.status, _http_part(failure.response, None)
    except Refusal as refusal:
        error = {"error": {"code": refusal.code, "message": refusal.message}}
        return refusal.status, _http_part(ApiResponse(refusal.status, error), None)
    head = f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode()
    return 200, head + b"".join(written) + f"--{boundary}--\r\n".encode()


def _request_of(outer: ApiRequest, part: _Part, made: Mapping[str, str]) -> ApiRequest:
    """The HTTP request inside a part, as the same caller."""
    head, _, body = part.content.replace(b"\r\n", b"\n").partition(b"\n\n")
    first, *lines = head.decode("utf-8").strip("\n").split("\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        raise errors.syntax(f"Invalid request line in the batch: '{first}'.")
    target = _resolved(words[1], made)
    place = urlsplit(target)
    path = place.path.partition(f"{API_ROOT}/")[2] if API_ROOT in place.path else place.path.lstrip("/")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    bound = _BOUND.sub(lambda match: match.group(1) + _resolved(match.group(2), made), body.decode("utf-8").strip("\n"))
    tag = re.search(r"(?:^|&)tag=([^&]*)", place.query)
    caller = replace(outer.caller, tag=tag.group(1) if tag else outer.caller.tag)
    return replace(
        outer, method=words[0], path=path, query=place.query, headers=headers, body=bound.encode(), caller=caller
    )


def _resolved(text: str, made: Mapping[str, str]) -> str:
    match = _REFERENCE.match(text)
    if match is None or text.startswith("/$metadata"):
        return text
    if match.group(1) not in made:
        raise errors.syntax(f"Content-ID Reference: '${match.group(1)}' does not exist in the batch context.")
    return made[match.group(1)] + text[match.end() :]


def _is_multipart(part: _Part) -> bool:
    return part.headers.get("content-type", "").lower().startswith("multipart/mixed")


def _parts(content_type: str, body: bytes) -> list[_Part]:
    boundary = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/mixed") or boundary is None:
        raise errors.syntax("The batch must be multipart/mixed with a boundary.")
    pieces = body.split(f"--{boundary.group(1)}".encode())
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise errors.syntax("The batch ends without its closing boundary.")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> _Part:
    head, blank, content = piece.lstrip(b"\r\n").replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = [line.partition(":") for line in head.decode("utf-8").split("\n") if line]
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    if not blank or "content-type" not in headers:
        raise errors.syntax("A part of the batch has no Content-Type header or no blank line after its headers.")
    return _Part(headers, content)


def _http_part(response: ApiResponse, content_id: str | None) -> bytes:
    head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    head += [f"Content-ID: {content_id}"] if content_id is not None else []
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    if response.body is not None:
        lines.append("Content-Type: application/json; odata.metadata=minimal")
    lines += [f"{name}: {value}" for name, value in response.headers.items() if name != "Content-Type"]
    return "\r\n".join([*head, "", *lines, "", ""]).encode() + response.content() + b"\r\n"
