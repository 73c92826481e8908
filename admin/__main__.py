"""`python -m admin …`: one module per command, each with `add(commands)`; this file only finds settings and exit codes.

Exit status: 0 done, 1 something is wrong (one sentence on stderr), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path

from admin import closings, consent, docs, mapping, parked, reconcile
from shared import settings
from shared.app import App
from shared.errors import ConfigurationError, SyncError

COMMANDS = (parked, closings, reconcile, consent, mapping, docs)


def main(arguments: list[str] | None = None) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m admin", description="Operate the co-sell connector.")
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="take app settings from a local.settings.json (default: environment)",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    try:
        return int(options.run(options, lambda: App(settings.load(_environment(options.settings)))))
    except SyncError as error:
        print(f"{error.sentence} {error.remedy}".strip(), file=sys.stderr)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 1


def _environment(file: Path | None) -> dict[str, str]:
    """The environment, completed by the file's values; what is set in the environment wins, as in the host."""
    if file is None:
        return dict(os.environ)
    try:
        values = dict(json.loads(file.read_text(encoding="utf-8-sig"))["Values"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            "SETTINGS_UNREADABLE",
            f"The settings file {file} cannot be read ({error or type(error).__name__}).",
            'Give a local.settings.json: {"Values": {"NAME": "value"}}.',
        ) from None
    for name, value in values.items():
        os.environ.setdefault(name, str(value))
    return dict(os.environ)


if __name__ == "__main__":
    sys.exit(main())
