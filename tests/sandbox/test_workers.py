"""Tests that share a running system stay on one worker, so that it starts once."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.xdist_group("workers")


def test_a_group_of_tests_goes_to_one_worker(request: pytest.FixtureRequest) -> None:
    """pytest-xdist tells groups by the end of a test's id. With pytest 9.2 it cannot, and says nothing."""
    spread = bool(getattr(request.config.option, "loadgroup", False))
    assert request.node.nodeid.endswith("@workers") == spread
