"""Seeds on all cores, each in an interpreter of its own: a process that has threads, as a test's may, is not forked."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.chaos import sabotage
from tests.chaos.simulation import Result


def results(seeds: list[str], events: int, world: str | None) -> Iterator[tuple[Result, float]]:
    """Each seed's result and the seconds it took, in the order of the seeds."""
    processes = min(os.cpu_count() or 1, len(seeds))
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_timed, seeds, [events] * len(seeds), [world] * len(seeds))


def _timed(seed: str, events: int, world: str | None) -> tuple[Result, float]:
    started = time.perf_counter()
    result = sabotage.run(world, seed, events=events)
    return result, time.perf_counter() - started
