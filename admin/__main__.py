"""`python -m admin COMMAND`: one module per command; `--help` lists them.

Exit code 0: done. 1: something is wrong, said in one sentence on stderr. 2: the command line is wrong. Nothing of the
running app imports this package.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from admin import docs

COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int], str]] = {
    "docs": (docs.arguments, docs.run, docs.SUMMARY),
}
"""Name → what adds its arguments, what runs it (the exit code), and one line of help."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m admin", description="Commands for operators and maintainers.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (add_arguments, _, summary) in COMMANDS.items():
        add_arguments(commands.add_parser(name, help=summary, description=summary))
    options = parser.parse_args(arguments)
    return COMMANDS[options.command][1](options)


if __name__ == "__main__":
    sys.exit(main())
