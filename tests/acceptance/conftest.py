"""Worlds for the acceptance tests: started when first asked for, kept to the last of them, tidied after each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.acceptance.world")

from tests.acceptance.profiles import LIMITED  # noqa: E402 - after the rewriting was asked for
from tests.acceptance.world import World, Worlds  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each world on one worker only, so that it starts once: the plain one of `extended` here, the others there."""
    for item in items:
        if "tests/acceptance/" in item.nodeid and isinstance(item, pytest.Function):
            profile = item.callspec.params.get("world") if hasattr(item, "callspec") else None
            asks_for_variants = {"worlds", "limited"} & inspect.signature(item.function).parameters.keys()
            kind = "variants" if asks_for_variants or profile == "parity" else "plain"
            item.add_marker(pytest.mark.xdist_group(f"acceptance-{kind}"))


@pytest.fixture(scope="package")
def all_worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """Every variant of this process; stopped at its end."""
    running = Worlds(lambda: tmp_path_factory.mktemp("sandbox"))
    yield running
    running.stop()


@pytest.fixture
def worlds(all_worlds: Worlds) -> Iterator[Worlds]:
    """`worlds(profile="extended", **settings) -> World`."""
    yield all_worlds
    all_worlds.tidy()


@pytest.fixture
def world(worlds: Worlds, request: pytest.FixtureRequest) -> World:
    """The default variant of the profile that `profiles.both_profiles` names, else of `extended`."""
    return worlds(getattr(request, "param", "extended"))


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
        found = worlds(**LIMITED, FIELD_MAPPING_FILE=overlay)
        if mapping not in (None, overlay.read_text(encoding="utf-8")):
            overlay.write_text(str(mapping), encoding="utf-8")
            found.sandbox.restart("host")
        return found

    return world
