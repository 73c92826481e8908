"""What keeps the Functions host from starting: always one sentence with a remedy on stderr and exit code 1."""

from __future__ import annotations

import json
import socket
from datetime import datetime
from pathlib import Path

import pytest

from sandbox.host.__main__ import main
from sandbox.host.configuration import HostJson, StartError, read_host_json
from sandbox.layout import Layout
from sandbox.process import PartProcess
from tests.sandbox.host_process import ROOT

HTTP_APP = """
import azure.functions as func
app = func.FunctionApp()
@app.route(route="{route}", auth_level=func.AuthLevel.ANONYMOUS)
def hello(req: func.HttpRequest) -> str:
    return "hello"
"""
QUEUE_APP = """
import azure.functions as func
app = func.FunctionApp()
@app.service_bus_queue_trigger(arg_name="m", queue_name="{queue}", connection="Bus"{more})
def listen(m: func.ServiceBusMessage) -> None:
    pass
"""
TIMER_APP = """
import azure.functions as func
app = func.FunctionApp()
@app.timer_trigger(arg_name="t", schedule="{schedule}")
def tick(t: func.TimerRequest) -> None:
    pass
"""
BLOB_APP = """
import azure.functions as func
app = func.FunctionApp()
@app.blob_trigger(arg_name="b", path="in/x", connection="Blobs")
def look(b: func.InputStream) -> None:
    pass
"""
HELLO = HTTP_APP.format(route="hello")
VERSION = '"version": "2.0"'
MINIMAL = "{" + VERSION + "}"


def start(folder: Path, *options: str) -> str:
    """The sentence with which the host refuses to start."""
    host = PartProcess("host", folder, "--app", str(folder), *options)
    host.start()
    host.wait(30)
    assert host.exit_code == 1, host.log_lines()
    _, *logged, sentence = host.log_lines()
    assert all(line.startswith(f"{datetime.now():%Y-%m-%d}T") for line in logged), logged  # noqa: DTZ005 - as it logs
    return sentence


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> str:
    """The same for what is wrong before the app is loaded, without a process of its own."""
    assert main(["--state", str(folder), "--app", str(folder), *options]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert said.out == ""
    return said.err.strip()


def write(folder: Path, app: str | None = HELLO, host: str = MINIMAL, settings: str = "{}") -> Path:
    if app is not None:
        (folder / "function_app.py").write_text(app, encoding="utf-8")
    (folder / "host.json").write_text(host, encoding="utf-8")
    (folder / "local.settings.json").write_text(settings, encoding="utf-8")
    Layout.create(folder)
    return folder


@pytest.mark.parametrize(
    ("app", "sentence"),
    [
        pytest.param(None, "holds no function_app.py; name the app's folder with --app", id="no app"),
        pytest.param("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'", id="import fails"),
        pytest.param("def broken(:", "SyntaxError: invalid syntax", id="syntax error"),
        pytest.param("import azure.functions as f\napp = f.FunctionApp()", "declares no function", id="no function"),
        pytest.param("raise SystemExit(3)", "does not load: it ended with SystemExit: 3", id="exits"),
        pytest.param(HTTP_APP.format(route="a/{b"), 'the route segment "{b"', id="route"),
        pytest.param(HTTP_APP.format(route="{a:purple}"), "constrains a to purple", id="constraint"),
        pytest.param(QUEUE_APP.format(queue="q", more=""), "needs the connection string Bus", id="no connection"),
        pytest.param(QUEUE_APP.format(queue="%Q%", more=""), "refers to %Q%, which is not set", id="no setting"),
        pytest.param(
            QUEUE_APP.format(queue="q", more=", is_sessions_enabled=True"), "wants sessions or batches", id="sessions"
        ),
        pytest.param(TIMER_APP.format(schedule="* * * * *"), "write six fields", id="five fields"),
        pytest.param(TIMER_APP.format(schedule="0 99 * * * *"), "write six fields", id="minute 99"),
        pytest.param(BLOB_APP, "has the trigger blobTrigger", id="another trigger"),
    ],
)
def test_an_app_that_cannot_run(tmp_path: Path, app: str | None, sentence: str) -> None:
    assert sentence in start(write(tmp_path, app))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must hold one JSON object"),
        ('{"Values": []}', "Values must be an object"),
        ('{"Values": {"A": {"B": 1}}}', "the value of A must be a text"),
        ('{"Values": {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1 MB"}}', "must be a number of bytes"),
        ('{"Values": {"": "1"}}', "has a setting without a usable name"),
        ('{"Values": {"A": "a\\u0000b"}}', "the value of A must be a text"),
    ],
)
def test_settings_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: str, sentence: str
) -> None:
    monkeypatch.setenv("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "")  # put back afterwards, whatever the file sets
    monkeypatch.delenv("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT")
    assert sentence in refused(capsys, write(tmp_path, settings=settings))


def test_files_that_are_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write(tmp_path)
    assert "absent.json cannot be read" in refused(capsys, tmp_path, "--settings", str(tmp_path / "absent.json"))
    (tmp_path / "sandbox.json").write_text("{}")
    assert "sandbox.json cannot be read" in refused(capsys, tmp_path)
    (tmp_path / "sandbox.json").unlink()
    assert "holds no sandbox.json" in refused(capsys, tmp_path)
    (tmp_path / "host.json").unlink()
    assert "host.json cannot be read" in refused(capsys, tmp_path)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    write(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} cannot be used" in start(tmp_path, "--port", str(port))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not json", "is not valid JSON"),
        ("[]", "must hold one JSON object"),
        ('{"version": "1.0"}', 'must say "version": "2.0"'),
        ('{%s, "extensions": []}', "extensions must be an object"),
        ('{%s, "extensions": {"http": 3}}', "extensions.http must be an object"),
        ('{%s, "extensions": {"http": {"maxOutstandingRequests": "many"}}}', "must be a whole number"),
        ('{%s, "extensions": {"serviceBus": {"maxConcurrentCalls": 0}}}', "must be 1 or more"),
        ('{%s, "extensions": {"serviceBus": {"autoCompleteMessages": false}}}', "autoCompleteMessages must be true"),
        ('{%s, "functionTimeout": "5 minutes"}', "functionTimeout must be a time span"),
        ('{%s, "logging": {"logLevel": {"default": "Loud"}}}', "logging.logLevel must map"),
    ],
)
def test_host_json_that_cannot_be_used(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "host.json"
    path.write_text(text.replace("%s", VERSION))
    with pytest.raises(StartError, match=r"host\.json") as refused:
        read_host_json(path)
    assert sentence in str(refused.value)


def test_host_json_as_shipped_is_understood() -> None:
    shipped = json.loads((ROOT / "host.json").read_text())["extensions"]
    read = read_host_json(ROOT / "host.json")
    assert read.route_prefix == shipped["http"]["routePrefix"]
    assert read.max_outstanding_requests == shipped["http"]["maxOutstandingRequests"]
    assert read.max_concurrent_calls == shipped["serviceBus"]["maxConcurrentCalls"]
    assert (read.function_timeout_s, read.lock_renewal_s) == (1800.0, 300.0)


def test_host_json_defaults_are_the_real_hosts(tmp_path: Path) -> None:
    path = tmp_path / "host.json"
    path.write_text('{"version": "2.0", "functionTimeout": "-1"}')
    assert read_host_json(path) == HostJson(function_timeout_s=None)
