"""The only contact with azure-functions-runtime, Microsoft's Python worker: index an app, invoke a function.

What is used here is not a documented interface, so the package is pinned exactly and each trigger kind has a contract
test. Nothing outside this module may import `azure_functions_runtime`. The shapes of inputs are made by the triggers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as worker
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.native_invocation import invocation_request_native

__all__ = ["Datum", "IndexedFunction", "LoadError", "Outcome", "index", "invoke"]


class LoadError(Exception):
    """The app cannot be indexed; `traceback` is the worker's."""

    def __init__(self, message: str, traceback: str) -> None:
        super().__init__(message)
        self.traceback = traceback


@dataclass(frozen=True)
class IndexedFunction:
    """One function as the worker declares it: bindings as in function.json, but enumerations upper-case."""

    name: str
    id: str
    bindings: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended; `value` is the returned datum, or None."""

    ok: bool
    value: Datum | None = None
    error: str = ""
    traceback: str = ""


class _Message:
    """Stands for a protobuf class: keeps its keyword arguments."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class _BindingInfo(_Message):
    """The worker compares bindings with these numbers."""

    undefined = 0
    out = 1
    inout = 2


setattr(_BindingInfo, "in", 0)  # a keyword, so it cannot be written as an attribute


class _StatusResult(_Message):
    Failure = 0
    Success = 1


_PROTOS = SimpleNamespace(
    BindingInfo=_BindingInfo,
    FunctionMetadataResponse=_Message,
    RpcException=_Message,
    RpcFunctionMetadata=_Message,
    RpcRetryOptions=_Message,
    StatusResult=_StatusResult,
    WorkerInitResponse=_Message,
    WorkerMetadata=_Message,
)


async def index(folder: Path) -> list[IndexedFunction]:
    """Import `folder/function_app.py` and list its functions. The folder must already be on `sys.path`.

    Raises LoadError when the module cannot be imported or a function's bindings and signature disagree.
    """
    worker.start_threadpool_executor()
    init = SimpleNamespace(capabilities={}, function_app_directory=str(folder))
    request = SimpleNamespace(
        request=SimpleNamespace(worker_init_request=init), properties={"host": "127.0.0.1", "protos": _PROTOS}
    )
    answer = await worker.worker_init_request(request)
    if answer.result.status != _StatusResult.Success:
        raise LoadError(answer.result.exception.message, answer.result.exception.stack_trace)
    metadata = await worker.functions_metadata_request(request)
    return [
        IndexedFunction(found.name, found.function_id, tuple(json.loads(text) for text in found.raw_bindings))
        for found in metadata.function_metadata_results or ()
    ]


async def invoke(
    invocation_id: str,
    function_id: str,
    argument: str,
    value: Datum,
    metadata: Mapping[str, Datum],
    timeout_s: float | None = None,
) -> Outcome:
    """Call one function with its trigger's value. Plain functions run on the worker's thread pool.

    Never raises for what the function does. After `timeout_s` the outcome is a failure; the thread of a plain function
    cannot be stopped and runs on, where Azure would end the whole worker.
    """
    try:
        async with asyncio.timeout(timeout_s):
            ok, returned, _, error, traceback = await invocation_request_native(
                invocation_id, function_id, [(argument, value)], dict(metadata)
            )
    except TimeoutError:
        return Outcome(ok=False, error=f"did not end within the functionTimeout of {timeout_s:g} s")
    return Outcome(ok=ok, value=returned, error=error or "", traceback=traceback or "")
