"""`python -m sandbox.host`: the command line of the Functions host. One sentence and exit code 1 for what is wrong.

Settings reach the environment here, before anything imports the app. See `process.py` for what runs.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

from pydantic import ValidationError

from sandbox.host.configuration import HostJson, StartError, apply_settings, read_host_json
from sandbox.host.process import Options, run
from sandbox.layout import Layout

_CHECKOUT = Path(__file__).resolve().parents[2]


def main(options: list[str] | None = None) -> int:
    """Run the host; the exit code."""
    arguments = _parser().parse_args(options)
    state: Path = arguments.state.resolve()
    try:
        app: Path = arguments.app.resolve()
        settings_file: Path = arguments.settings or state / "local.settings.json"
        apply_settings(settings_file)
        host_json = read_host_json(app / "host.json")
        port, key = _address(state, arguments.port)
        _log_to(state / "logs" / "host-detail.log", host_json)
        asyncio.run(run(Options(state, app, port, key, arguments.grace), host_json))
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.host", description="Run a function app's HTTP, Service Bus and timer triggers."
    )
    parser.add_argument("--state", type=Path, required=True, help="the sandbox's state directory")
    parser.add_argument("--app", type=Path, default=_CHECKOUT, help="folder of function_app.py and host.json")
    parser.add_argument("--settings", type=Path, help="settings file; default STATE/local.settings.json")
    parser.add_argument("--port", type=int, help="HTTP port; default the one in STATE/sandbox.json")
    parser.add_argument("--grace", type=float, default=2.0, help="seconds a stop waits for running functions")
    return parser


def _address(state: Path, port: int | None) -> tuple[int, str]:
    """HTTP port and host key, from the sandbox's layout; a state directory without one needs --port."""
    try:
        layout = Layout.load(state)
    except FileNotFoundError:
        if port is None:
            raise StartError(
                f"{state} holds no sandbox.json; start `python -m sandbox` once, or give --port."
            ) from None
        return port, str(Layout.model_fields["host_key"].default)
    except (OSError, ValidationError, ValueError) as error:
        raise StartError(f"{state}/sandbox.json cannot be read; delete it and start `python -m sandbox`.") from error
    return port or layout.ports["host"], layout.host_key


def _log_to(path: Path, host_json: HostJson) -> None:
    """The app's and the host's log lines to stdout; the same with tracebacks to the file."""
    path.parent.mkdir(exist_ok=True)
    levels = {"azure": "WARNING", "uvicorn": "WARNING"} | host_json.log_levels
    line = logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    screen = logging.StreamHandler(sys.stdout)
    screen.setLevel(logging.INFO)
    file = RotatingFileHandler(path, maxBytes=10_000_000, backupCount=1, encoding="utf-8")
    for handler in (screen, file):
        handler.setFormatter(line)
    logging.basicConfig(level=levels.pop("default", "INFO"), handlers=[screen, file])
    for name, level in levels.items():
        logging.getLogger(name.lower()).setLevel(level)
    logging.getLogger("sandbox.host").setLevel(logging.DEBUG)
    # The worker logs each failure itself, with its traceback; the host's own line is enough.
    logging.getLogger("azure.functions").setLevel(logging.CRITICAL)


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads of functions that never end would keep the interpreter alive
