"""Marks and settings that the acceptance tests share: which profile a test runs in, and the most used variant."""

from __future__ import annotations

import pytest

both_profiles = pytest.mark.parametrize("world", ["extended", "parity"], indirect=True)
"""For the tests marked (P): what must also hold with exactly what Microsoft's own connector updates."""
profiles = pytest.mark.parametrize("profile", ["extended", "parity"])
"""The same for tests that ask for a variant: `worlds(profile, SOME_SETTING="…")`."""
OUR_WAY = {
    "DISPLAY_CHECK_MARK": "no",
    "DEAL_VALUE_COLUMN": "new_tcv",
    "COUNTRY_COLUMN": "new_iso2",
    "NAME_UPDATE_POLICY": "patch",
    "CURRENCY_POLICY": "convert",
    "CURRENCY_RATES": "CHF=1.12",
}
"""One variant with settings that do not touch one another: no marks, own columns, new names are sent, CHF converted."""
ANOTHER_WAY = {
    "SYNC_CO_SELL_ONLY": "yes",
    "CONFLICT_POLICY": "manual",
    "TERMINAL_GRACE_MINUTES": "0.07",
    "WEBHOOK_SELF_HEAL": "yes",
}
"""A second one, for what would disturb the tests of the first: shared deals only, people decide, time to reopen."""
LIMITED = {"PC_CALLS_PER_MINUTE": "240", "BRAKE_CLOSINGS_PER_HOUR": "1"}
"""A third one: limits that are soon reached, and a mapping file; see the fixture `limited`."""
