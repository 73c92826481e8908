"""Changes the decisions in thousands of small ways, one at a time, and runs the tests that reach each change.

mutmut makes the changes and keeps the results (`mutmut show NAME`, `mutmut browse`); running them is ours, because it
starts pytest anew for each. Here the tests are collected once, run once to see which functions each of them reaches,
and then every change is a fork of that process that runs its own until the first fails. Time is counted as CPU time, so
that a busy machine makes nothing look endless. Arguments are patterns of names (`shared.domain.plan.*`); without any,
everything is tried. The score: `mutation_score`.
"""

from __future__ import annotations

import fnmatch
import gc
import os
import resource
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import pytest
from mutmut.__main__ import create_mutants
from mutmut.configuration import config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state
from mutmut.utils.file_utils import copy_also_copy_files, copy_src_dir, setup_source_paths, walk_mutatable_files
from mutmut.utils.format_utils import mangled_name_from_mutant_name

AT_LEAST_S = 3.0
"""CPU time that any test may take; one that needs this and ten times longer than before runs for ever."""
OPTIONS = (
    "--assert=plain",
    "--tb=no",
    "-q",
    "-s",
    "--rootdir=.",
    "--disable-plugin-autoload",
    "-p",
    "no:cacheprovider",
)


class Trial:
    """A pytest plugin that takes the place of running the tests."""

    def __init__(self, files: list[SourceFileMutationData], patterns: Iterable[str]) -> None:
        self._changes = {
            name: file
            for pattern in patterns
            for file in files
            for name in fnmatch.filter(file.exit_code_by_key, pattern)
        }
        self._reaching: dict[str, list[pytest.Item]] = defaultdict(list)
        self._cpu_s: dict[pytest.Item, float] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._look(session)
        gc.freeze()
        if session.testsfailed or self._try("", list(session.items), session) != 0:
            raise session.Failed("The tests fail without any change.")
        began = time.monotonic()
        for number, (name, file) in enumerate(self._changes.items(), start=1):
            tests = self._reaching[mangled_name_from_mutant_name(name)]
            file.exit_code_by_key[name] = self._try(name, tests, session) if tests else 33  # mutmut's "no tests"
            file.save()
            if number % 50 == 0 or number == len(self._changes):
                print(f"{number} of {len(self._changes)} changes tried, {time.monotonic() - began:.0f} s", flush=True)
        return True

    def _look(self, session: pytest.Session) -> None:
        """Run every test once, and see how long it takes and which functions it reaches."""
        set_mutant_under_test("stats")
        for test, following in pairwise([*session.items, None]):
            state()._stats.clear()
            began = time.process_time()
            _run(session, test, following)
            self._cpu_s[test] = time.process_time() - began
            for function in state()._stats:
                self._reaching[function].append(test)
        for tests in self._reaching.values():
            tests.sort(key=lambda test: (not _is_plain(test), self._cpu_s[test]))

    def _try(self, name: str, tests: list[pytest.Item], session: pytest.Session) -> int:
        """mutmut's code for what became of a change: 1 a test failed, 0 none did, -24 out of CPU time, 35 who knows."""
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                self._run_changed(name, tests, session, writer)
            finally:
                os._exit(35)
        os.close(writer)
        failed = os.read(reader, 8)
        os.close(reader)
        if failed:  # what noticed this change may well notice the next one
            tests.insert(0, tests.pop(int.from_bytes(failed)))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _run_changed(self, name: str, tests: list[pytest.Item], session: pytest.Session, report: int) -> NoReturn:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        set_mutant_under_test(name)
        for number, test in enumerate(tests):
            limit = int(time.process_time() + AT_LEAST_S + 10 * self._cpu_s[test])
            resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
            if _fails(test) if _is_plain(test) else _run(session, test, None):
                os.write(report, number.to_bytes(8))
                os._exit(1)
        os._exit(0)


def _run(session: pytest.Session, test: pytest.Item, following: pytest.Item | None) -> bool:
    """Whether the test failed."""
    session.config.hook.pytest_runtest_protocol(item=test, nextitem=following)
    return bool(session.testsfailed)


def _is_plain(test: pytest.Item) -> bool:
    """Whether it is a function of its parameters, without fixtures: pytest costs more than most of those."""
    given = test.callspec.params if hasattr(test, "callspec") else {}
    marked = test.get_closest_marker("skipif") or test.get_closest_marker("xfail")
    return isinstance(test, pytest.Function) and not test.cls and not marked and {*test.fixturenames} <= given.keys()


def _fails(test: pytest.Function) -> bool:
    try:
        test.obj(**(test.callspec.params if hasattr(test, "callspec") else {}))
    except BaseException as failure:  # noqa: BLE001 - whatever it is, the test noticed
        return not isinstance(failure, pytest.skip.Exception)
    return False


def main(patterns: list[str]) -> int:
    """0 when every change was tried, whatever became of it."""
    for copied in config().also_copy:  # what is no longer there must not be tested
        shutil.rmtree(Path("mutants", copied), ignore_errors=True)
    for table in Path("mutants", "shared").glob("*.toml"):
        table.unlink()
    Path("mutants").mkdir(exist_ok=True)
    set_mutant_under_test("mutant_generation")
    with redirect_stdout(None):
        copy_src_dir()
        copy_also_copy_files()
        setup_source_paths()
        create_mutants(1)
    files = []
    for path in walk_mutatable_files():
        file = SourceFileMutationData(path=path)
        file.load()
        file.meta_path = file.meta_path.absolute()
        files.append(file)
    selection = config().pytest_add_cli_args_test_selection
    os.chdir("mutants")
    return int(pytest.main([*OPTIONS, *selection], plugins=[Trial(files, patterns or ["*"])]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
