"""The command `python -m sandbox` and the object behind it: exit codes, sentences, and that nothing is left running."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from sandbox.__main__ import conclude, main
from sandbox.clients import connection
from sandbox.idle import StillBusy
from sandbox.layout import Layout
from sandbox.process import PartFailed, PartProcess
from sandbox.state import CannotStart, StateDirectory
from sandbox.supervisor import PARTS, PortInUse, Sandbox, app_settings
from shared.settings import load
from tests.sandbox.known_keys import create_layout


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


ROOT = Path(__file__).resolve().parents[2]


def launch(*arguments: str) -> subprocess.Popen[str]:
    """Our own Python in the checkout; both streams are captured."""
    return subprocess.Popen(  # noqa: S603 - fixed program, arguments written in this file
        [sys.executable, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def launch_sandbox(state: Path, *options: str) -> subprocess.Popen[str]:
    return launch("-m", "sandbox", "--state", str(state), "--port-page", free_port(), *options)


def free_port() -> str:
    """For the page, whose usual port may be another's between the look and the bind."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def finish(process: subprocess.Popen[str]) -> Ended:
    """Wait for its end; it is killed when that takes too long."""
    try:
        out, err = process.communicate(timeout=150)
    finally:
        process.kill()
        process.wait()
    return Ended(process.returncode, out, err)


def run(state: Path, *options: str) -> Ended:
    return finish(launch_sandbox(state, *options))


def processes_of(state: Path) -> list[int]:
    """Every part that ever began to work on the state directory and still runs."""
    logged = "".join(log.read_text("utf-8", "replace") for log in (state / "logs").glob("*.log"))
    listing = subprocess.check_output(["/bin/ps", "-eo", "pid=,stat="], text=True)
    running = {int(pid) for pid, status in map(str.split, listing.splitlines()) if not status.startswith("Z")}
    return sorted(running.intersection(map(int, re.findall(r"^process (\d+)$", logged, re.MULTILINE))))


def eventually(condition: Callable[[], object], within_s: float = 30.0) -> None:
    give_up_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def as_before() -> Iterator[None]:
    """The command, called here instead of started, makes this process answer its signals."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


# -- the command -----------------------------------------------------------------------------------------------------
@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.xdist_group("command")
def test_it_stays_when_both_sides_agree_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    """What it says and its exit code are those of `--once`, which only does not stay."""
    state = tmp_path / "state"
    process = launch_sandbox(state)
    said = []
    try:
        assert process.stdout
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C stops it" in line:
                break
        else:
            pytest.fail(f"it ended by itself with exit code {process.wait()}")
        layout = Layout.load(state)
        with connection(layout) as http:
            assert "Partner Center" in http.get(layout.page_url, timeout=10).text
        assert len(processes_of(state)) == len(PARTS)
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=30)  # until nobody holds its output, so no process of its own is left
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
    out = "".join(said) + rest
    assert "Both sides agree." in out
    assert out.count("✔") > 8
    assert "✖" not in out
    assert processes_of(state) == []


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.xdist_group("command")
@pytest.mark.usefixtures("as_before")
def test_once_ends_with_1_when_a_change_does_not_arrive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Partner Center refuses every change from its first moment on."""
    state = tmp_path / "state"
    with ThreadPoolExecutor(1) as beside:
        planted = beside.submit(eventually, lambda: (state / "ca.pem").exists() and _plant(Layout.load(state)))
        assert main(["--state", str(state), "--port-page", free_port(), "--once", "--patience", "2"]) == 1
        planted.result()
    said = capsys.readouterr().out
    assert "The two sides do not agree" in said
    assert "✖" in said
    assert processes_of(state) == []


@pytest.mark.usefixtures("as_before")
def test_a_second_run_is_one_sentence_and_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with StateDirectory(tmp_path, keep=False, ports={}) as layout:
        assert main(["--state", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert layout.page_url in said
    assert "running already" in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(("agreed", "code"), [(True, 0), (False, 1)])
def test_once_ends_by_itself_with_the_verdict(tmp_path: Path, agreed: bool, code: int) -> None:
    assert conclude(Sandbox(Layout.create(tmp_path)), agreed=agreed, once=True) == code


def _plant(layout: Layout) -> bool:
    fault = {"kind": "status", "method": "PATCH", "path": "/v1.0", "status": 503}
    with connection(layout) as http:
        try:
            return http.post(f"{layout.partner_center_url}/_sim/faults", json=fault, timeout=5).ok
        except OSError:  # not listening yet
            return False


def test_a_port_in_use_is_one_sentence_and_2(tmp_path: Path, busy_port: int) -> None:
    done = run(tmp_path / "state", "--port-host", str(busy_port))
    assert done.code == 2
    assert done.err == (
        f"Port {busy_port}, meant for host, is in use; stop what listens there or choose another: --port-host.\n"
    )


@pytest.mark.parametrize("text", ["0", "70000", "many"])
def test_a_port_that_is_none_is_2(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--state", str(tmp_path / "state"), "--port-page", text])
    assert ended.value.code == 2
    assert "--port-page" in capsys.readouterr().err


# -- the state directory ---------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("as_before")
def test_a_directory_with_other_files_is_never_emptied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["--state", str(tmp_path), "--once"]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_new_run_starts_empty_and_keep_keeps_data_and_ports(tmp_path: Path) -> None:
    with StateDirectory(tmp_path / "s", keep=False, ports={}) as first:
        (first.state / "data.db").write_text("rows")
        (first.state / "logs").mkdir()
    with StateDirectory(tmp_path / "s", keep=True, ports={"page": 12345}) as kept:
        assert (kept.state / "data.db").read_text() == "rows"
        assert kept.ports == {**first.ports, "page": 12345}
    with StateDirectory(tmp_path / "s", keep=False, ports={}) as fresh:
        assert sorted(path.name for path in fresh.state.iterdir()) == [".running", "sandbox.json"]


def test_the_lock_names_the_page_of_the_holder(tmp_path: Path) -> None:
    with StateDirectory(tmp_path, keep=False, ports={}) as layout:
        with pytest.raises(CannotStart, match=layout.page_url), StateDirectory(tmp_path, keep=True, ports={}):
            pytest.fail("two hold the lock")
        assert Layout.load(tmp_path) == layout


# -- the parts as commands -------------------------------------------------------------------------------------------
@pytest.mark.sandbox
def test_every_part_is_a_command_that_says_when_it_is_ready_and_stops_on_sigterm(tmp_path: Path) -> None:
    layout = create_layout(tmp_path)
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": app_settings(layout)}))
    parts = {name: launch("-m", f"sandbox.{name}", "--state", str(tmp_path)) for name in PARTS}
    try:
        for name, process in parts.items():
            assert process.stdout
            assert any(line.startswith("ready ") for line in process.stdout), name
    finally:
        for process in parts.values():
            process.terminate()
        ended = {name: finish(process) for name, process in parts.items()}
    assert {name: (end.code, end.err) for name, end in ended.items()} == dict.fromkeys(PARTS, (0, ""))


# -- the object ------------------------------------------------------------------------------------------------------
def test_the_settings_are_complete_for_the_app(tmp_path: Path) -> None:
    layout = Layout.create(tmp_path)
    settings = load(app_settings(layout, DEBOUNCE_SECONDS=7, DEFAULT_TEAM_PHONE=None))
    assert settings.dataverse_url == layout.dataverse_url
    assert settings.webhook_url == f"{layout.host_url}/api/partner_center_webhook"
    assert settings.debounce_seconds == 7
    assert settings.default_team_phone is None


@pytest.mark.sandbox
def test_parts_are_killed_and_restarted_at_the_same_address(tmp_path: Path) -> None:
    with Sandbox(create_layout(tmp_path), parts=("entra",)) as sandbox:
        [before] = sandbox.pids().values()
        sandbox.kill("entra")
        assert sandbox.pids() == {}
        sandbox.restart("entra")
        [after] = sandbox.pids().values()
        assert after != before
        os.kill(after, signal.SIGKILL)
        eventually(lambda: not sandbox.pids())
        assert sandbox.restart_the_ended() == ["entra"]
        with connection(sandbox.layout) as http:
            assert http.get(f"{sandbox.layout.entra_url}/_sim/requests", timeout=5).ok
    assert processes_of(tmp_path) == []


@pytest.mark.sandbox
def test_parts_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    create_layout(tmp_path)
    script = (
        "import os, signal; from pathlib import Path; from sandbox.layout import Layout;"
        "from sandbox.supervisor import Sandbox\n"
        f"sandbox = Sandbox(Layout.load(Path({str(tmp_path)!r})), parts=('broker', 'entra'))\n"
        "sandbox.start(); print(len(sandbox.pids()), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = finish(launch("-c", script))
    assert done.code == -signal.SIGKILL
    assert done.out == "2\n"
    eventually(lambda: not processes_of(tmp_path), within_s=10)


def test_a_part_that_cannot_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    part = PartProcess("entra", tmp_path)  # there is no sandbox.json
    part.start()
    with pytest.raises(PartFailed) as failure:
        part.wait_ready()
    part.wait()
    assert "entra ended before it was ready" in str(failure.value)
    assert "holds no readable sandbox.json" in str(failure.value)
    assert str(part.log) in str(failure.value)


def test_nothing_is_started_when_a_port_is_taken(tmp_path: Path, busy_port: int) -> None:
    sandbox = Sandbox(Layout.create(tmp_path, broker_admin=busy_port))
    with pytest.raises(PortInUse, match=f"{busy_port}.*broker_admin.*--port-broker-admin"):
        sandbox.start()
    assert sandbox.pids() == {}


@pytest.mark.sandbox
def test_waiting_names_what_is_busy(tmp_path: Path) -> None:
    with Sandbox(create_layout(tmp_path), parts=("broker",)) as sandbox:
        bus = ServiceBusClient.from_connection_string(sandbox.layout.service_bus_connection)
        with bus, bus.get_queue_sender("partner-center-events") as sender:
            sender.send_messages(ServiceBusMessage("{}"))
        with pytest.raises(StillBusy) as still:
            sandbox.wait_idle(0.2)
    assert "queue partner-center-events holds 1 active" in str(still.value)
    assert "dataverse does not answer" in str(still.value)
