"""Marks that say which world an acceptance test needs: profile, app settings; and what is known of it before it runs.

@both_profiles          # "extended" and "parity", else "extended"
@our_way                # or another_way, variant(DRY_RUN="yes")
def test_…(world: World) -> None:
"""

from __future__ import annotations

import pytest

both_profiles = pytest.mark.parametrize("world", ["extended", "parity"], indirect=True)
"""For the tests marked (P): what must also hold with exactly what Microsoft's own connector updates."""
variant = pytest.mark.variant
"""`@variant(SOME_SETTING="…")`: a world with these app settings."""
our_way = variant(
    DISPLAY_CHECK_MARK="no", DEAL_VALUE_COLUMN="new_tcv", COUNTRY_COLUMN="new_iso2", NAME_UPDATE_POLICY="patch",
    CURRENCY_POLICY="convert", CURRENCY_RATES="CHF=1.12",
)  # fmt: skip
"""One variant with settings that do not touch one another: no marks, own columns, new names are sent, CHF converted."""
another_way = variant(
    SYNC_CO_SELL_ONLY="yes", CONFLICT_POLICY="manual", TERMINAL_GRACE_MINUTES="0.07", WEBHOOK_SELF_HEAL="yes"
)
"""A second one, for what would disturb the tests of the first: shared deals only, people decide, time to reopen."""
LIMITED = {"PC_CALLS_PER_MINUTE": "240", "BRAKE_CLOSINGS_PER_HOUR": "1"}
"""The variant of the fixture `limited`: a low rate, a brake that closes at once, a mapping file that tests replace."""


def profile_of(item: pytest.Item) -> str:
    """The profile that a test runs in."""
    return str(item.callspec.params.get("world", "extended")) if hasattr(item, "callspec") else "extended"


def settings_of(item: pytest.Item) -> dict[str, str]:
    """The app settings that a test asks for."""
    asked = item.get_closest_marker("variant")
    return dict(asked.kwargs) if asked else LIMITED if "limited" in getattr(item, "fixturenames", ()) else {}
