"""Fixtures that several modules of this folder share."""

from __future__ import annotations

import pytest

from tests.chaos.world import World
from tests.handlers.town import Town


@pytest.fixture
def town() -> Town:
    return Town(World())
