"""Fixtures that several modules of this folder share; each lives in a file of its own."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.sandbox.dataverse_fixture", "tests.sandbox.partner_center_fixture")

from tests.sandbox.dataverse_fixture import crm, empty_queues, running_crm  # noqa: E402 - after the rewriting was asked for
from tests.sandbox.partner_center_fixture import cloud, fresh_cloud  # noqa: E402 - the same
from tests.sandbox.webhook_receiver import receiver  # noqa: E402 - the same

__all__ = ["cloud", "crm", "empty_queues", "fresh_cloud", "receiver", "running_crm"]
