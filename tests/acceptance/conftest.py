"""Worlds for the acceptance tests: started when first asked for, kept to the last of them, tidied after each."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.acceptance.world")

from tests.acceptance.world import World, Worlds  # noqa: E402 - after the rewriting was asked for


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each world on one worker only, so that it starts once: the plain one of `extended` here, the others there."""
    for item in items:
        if "tests/acceptance/" in item.nodeid and isinstance(item, pytest.Function):
            profile = item.callspec.params.get("world") if hasattr(item, "callspec") else None
            asks_for_variants = "worlds" in inspect.signature(item.function).parameters
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
