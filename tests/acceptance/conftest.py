"""Worlds for the acceptance tests: those of one world run one after the other, and it stops when another is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.acceptance.world")

from tests.acceptance.profiles import LIMITED, profile_of, settings_of  # noqa: E402 - after rewriting was asked for
from tests.acceptance.world import World, Worlds  # noqa: E402

LONG = ("test_at_replayed.py", "test_p3_real_kills.py")
"""Modules of the plain world that run beside the variants, in one of their own, so that both halves take as long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """By world, each on one worker only, so that it starts once: the plain one of `extended` here, the others there."""
    ours = [item for item in items if "tests/acceptance/" in item.nodeid]
    worlds = {item: (profile_of(item), sorted(settings_of(item).items())) for item in ours}
    for item, world in worlds.items():
        kind = "plain" if world == ("extended", []) and item.path.name not in LONG else "variants"
        item.add_marker(pytest.mark.xdist_group(f"acceptance-{kind}"))
    in_order = iter(sorted(ours, key=worlds.__getitem__))  # those of one world stay as they were
    items[:] = [next(in_order) if item in worlds else item for item in items]


@pytest.fixture(scope="package")
def all_worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """Every world of this process; stopped at its end."""
    running = Worlds(lambda: tmp_path_factory.mktemp("sandbox"))
    yield running
    running.stop()


@pytest.fixture
def worlds(all_worlds: Worlds) -> Iterator[Worlds]:
    """`worlds(profile, settings) -> World`."""
    yield all_worlds
    all_worlds.tidy()


@pytest.fixture
def world(worlds: Worlds, request: pytest.FixtureRequest) -> World:
    """The world that the test's marks ask for (`tests.acceptance.profiles`)."""
    return worlds(profile_of(request.node), settings_of(request.node))


@pytest.fixture(scope="package")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mapping file of the variant `LIMITED`."""
    file = tmp_path_factory.mktemp("mapping") / "mapping.toml"
    file.write_text("version = 1\n", encoding="utf-8")
    return file


@pytest.fixture
def limited(worlds: Worlds, overlay: Path) -> Callable[..., World]:
    """`limited(mapping=None) -> World`: the variant `LIMITED`; another mapping starts its host again."""

    def world(mapping: str | None = None) -> World:
        found = worlds("extended", {**LIMITED, "FIELD_MAPPING_FILE": overlay})
        if mapping not in (None, overlay.read_text(encoding="utf-8")):
            overlay.write_text(str(mapping), encoding="utf-8")
            found.sandbox.restart("host")
        return found

    return world
