"""`python -m tests.acceptance.table`: runs the acceptance tests and writes docs/acceptance.md from what was run.

The page is written only when every test that was collected ran and passed, in every profile; arguments go to pytest
(`-n 2 --dist loadgroup`). `tests/docs/test_acceptance_page.py` holds the page against the tests that exist, without
running them. What the ids stand for is what the tests' own sentences say.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.profiles import profile_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = "docs/acceptance.md"
IDS = tuple(
    f"AT-{group}{number:02}"
    for group, last in (("A", 9), ("B", 23), ("C", 17), ("D", 21), ("E", 15), ("F", 18))
    for number in range(1, last + 1)
)
"""Every behaviour that must hold."""
_NAME = re.compile(r"test_AT_([A-Z]\d\d)_\w+")
_GROUPS = {
    "A": "Set-up and webhook",
    "B": "Created in Dynamics 365",
    "C": "Changed in Dynamics 365",
    "D": "Created or changed in Partner Center",
    "E": "Microsoft's answers, and endings",
    "F": "Both sides at once, and operations",
}
_HEAD = """# What is proven from outside

*Written by `make acceptance` after a run in which every one of these tests passed; none is skipped.*

Each behaviour is shown by a test that drives the whole system over real sockets, in the sandbox: as a seller, as a user
of Partner Center's portal, or as Microsoft. *parity* is the profile that updates only what Microsoft's own connector
updates. The same stories told with every event twice and out of order: `tests/acceptance/test_at_replayed.py`.
"""


@dataclass(frozen=True)
class Proof:
    """One test function and what it shows; its parameters are counted, not listed."""

    id: str
    shows: str
    path: str
    name: str
    profiles: tuple[str, ...]
    excused: bool
    """Whether pytest is told to skip it, or to expect its failure."""


class _Run:
    """What pytest collected and how it went."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []
        self.outcomes: dict[str, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = list(session.items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.nodeid.partition("@")[0]] = report.outcome  # xdist adds the group's name


def collected() -> tuple[list[Proof], set[str]]:
    """The proofs there are, in the order of their ids, and the node ids of all tests in this folder."""
    run = _Run()
    quiet = ["--collect-only", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    with redirect_stdout(io.StringIO()):
        code = pytest.main([*quiet, str(Path(__file__).parent)], plugins=[run])
    if code != pytest.ExitCode.OK:
        raise SystemExit(f"The acceptance tests cannot be collected: {code!r}.")
    return proofs(run.items), {item.nodeid for item in run.items}


def proofs(items: Iterable[pytest.Item]) -> list[Proof]:
    """One proof for each test function that carries an id."""
    found: dict[tuple[str, str, str], list[pytest.Function]] = {}
    for item in items:
        if isinstance(item, pytest.Function) and (match := _NAME.fullmatch(item.originalname)):
            key = (f"AT-{match[1]}", item.path.relative_to(ROOT).as_posix(), item.originalname)
            found.setdefault(key, []).append(item)
    return [
        Proof(
            id_,
            _sentence(same[0]),
            path,
            name,
            tuple(sorted(set(map(profile_of, same)))),
            any(_excused(item) for item in same),
        )
        for (id_, path, name), same in sorted(found.items())
    ]


def _sentence(item: pytest.Function) -> str:
    return " ".join((item.function.__doc__ or "").partition("\n\n")[0].split())


def _excused(item: pytest.Function) -> bool:
    return any(item.get_closest_marker(name) for name in ("skip", "skipif", "xfail"))


def page(found: Sequence[Proof]) -> str:
    """The page."""
    parts = [_HEAD]
    for group, title in _GROUPS.items():
        rows = [proof for proof in found if proof.id.startswith(f"AT-{group}")]
        parts.append(f"## {title}\n\n| id | what it shows | test | profiles |\n|---|---|---|---|")
        parts += map(_row, rows)
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _row(proof: Proof) -> str:
    file = proof.path.rpartition("/")[2]
    test = f"[{file}](../{proof.path})`::{proof.name}`"
    return f"| {proof.id} | {proof.shows.replace('|', '/')} | {test} | {', '.join(proof.profiles)} |"


def main(arguments: Sequence[str]) -> int:
    """Run everything; write the page when all of it passed."""
    found, expected = collected()
    run = _Run()
    code = pytest.main([*arguments, f"--rootdir={ROOT}", str(Path(__file__).parent)], plugins=[run])
    failed = sorted(node for node in expected if run.outcomes.get(node) != "passed")
    if code != pytest.ExitCode.OK or failed:
        print(f"{len(failed)} of {len(expected)} did not pass; {PAGE} stays as it is.", *failed, sep="\n  ")
        return 1
    (ROOT / PAGE).write_text(page(found), encoding="utf-8")
    print(f"{len(expected)} tests passed, {len(found)} proofs of {len(IDS)} behaviours: wrote {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
