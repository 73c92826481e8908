"""Fixtures that several modules of this folder share; each lives in a file of its own."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.sandbox.dataverse_fixture")

from tests.sandbox.dataverse_fixture import crm, running_crm  # noqa: E402 - after the rewriting was asked for

__all__ = ["crm", "running_crm"]
