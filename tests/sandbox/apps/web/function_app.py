"""A small app that shows what the host handed over: HTTP functions answer it, the others write it to RECORD."""

import hashlib
import json
import logging
import os
import time
from http.cookies import SimpleCookie

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


def record(**fields: object) -> None:
    """Append one line to the file that the test reads."""
    with open(os.environ["RECORD"], "a", encoding="utf-8") as file:
        file.write(json.dumps(fields) + "\n")


@app.route(route="echo/{kind}/{id:int?}", methods=["POST", "PUT"], auth_level=func.AuthLevel.ANONYMOUS)
def echo(req: func.HttpRequest) -> func.HttpResponse:
    body = req.get_body()
    seen = {
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "query": dict(req.params),
        "route": dict(req.route_params),
        "size": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    logging.info("echo saw %d bytes", len(body))
    return func.HttpResponse(json.dumps(seen), status_code=201, mimetype="application/json", headers={"X-Seen": "yes"})


@app.route(route="echo/fixed", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def fixed(req: func.HttpRequest) -> str:
    return "fixed wins"


@app.route(route="bytes", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def same_bytes(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse(req.get_body(), mimetype="application/octet-stream")
    cookie = SimpleCookie({"seen": "yes"})
    response.headers.add("Set-Cookie", cookie.output(header="").strip())
    return response


@app.route(route="keyed", methods=["GET"])
def keyed(req: func.HttpRequest) -> str:
    return "open"


@app.route(route="owner", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
async def owner(req: func.HttpRequest) -> str:
    return "owner"


@app.route(route="fails", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def fails(req: func.HttpRequest) -> str:
    raise RuntimeError("secret detail")


@app.route(route="wrong", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def wrong(req: func.HttpRequest) -> func.HttpResponse:
    return {"not": "a response"}  # type: ignore[return-value]  # what the worker must refuse to encode


@app.route(route="header", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def header(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("x", headers={"X-Check": "✔"})


@app.route(route="slow", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def slow(req: func.HttpRequest) -> str:
    time.sleep(float(req.params["s"]))
    return "slept"


@app.timer_trigger(arg_name="timer", schedule="%TIMER_SCHEDULE%", run_on_startup=False)
def nightly(timer: func.TimerRequest) -> None:
    record(function="nightly", past_due=timer.past_due, status=timer.schedule_status)  # type: ignore[attr-defined]  # the stub lags


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
def at_start(timer: func.TimerRequest) -> None:
    record(function="at_start", past_due=timer.past_due)
