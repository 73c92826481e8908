"""What the connector remembers of a pair: fingerprints, the JSON column, and what an unreadable one becomes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from shared.domain.state import Canonical, Delay, Reservation, Seen, Sent, SyncState, fingerprint, parse

VALUES: tuple[Canonical, ...] = (
    None, "a", "b", "1", 1, True, "true", False, "null", ("a",), ("a", "b"), ("b", "a"), '["a"]', "x" * 200,
    "x" * 201, "🌕" * 200, "a\nb",
)  # fmt: skip


def test_fingerprints_are_equal_exactly_when_the_values_are() -> None:
    prints = [fingerprint(value) for value in VALUES]
    assert len(set(prints)) == len(prints)
    assert [fingerprint(value) for value in VALUES] == prints


@pytest.mark.parametrize("value", [None, "", ()])
def test_no_value_has_no_fingerprint(value: Canonical) -> None:
    assert fingerprint(value) is None


def test_long_values_are_kept_as_a_hash() -> None:
    assert fingerprint("x" * 118) == f'"{"x" * 118}"'
    found = fingerprint("x" * 119)
    assert found is not None
    assert found.startswith("sha256:")
    assert len(found) == 71


FULL = SyncState(
    referral_id="r", engagement_id="e", microsoft_referral_id="m", etag='"1"', outbound=True,
    seen={"name": Seen(pc='"a"', crm=None)}, status_pc="new", status_crm="hold",
    reservation=Reservation(at=datetime(2026, 3, 4, 9, 0, tzinfo=UTC), run="run"), linking=True,
    terminal_since=datetime(2026, 3, 4, 9, 1, tzinfo=UTC), problem="sha256:1", told={"CODE": "sentence ✔ 🌕"},
    delay=Delay(told_at=datetime(2026, 3, 4, 9, 2, tzinfo=UTC), changed_at=datetime(2026, 3, 4, 9, 0, tzinfo=UTC)),
)  # fmt: skip


@pytest.mark.parametrize("state", [SyncState(), FULL], ids=["empty", "full"])
def test_the_column_gives_the_state_back(state: SyncState) -> None:
    assert parse(state.to_json()) == state


def test_an_empty_state_costs_nothing() -> None:
    assert SyncState().to_json() == "{}"


@pytest.mark.parametrize(
    "text",
    [None, "", " ", "{", "[]", "null", "5", '{"seen": 5}', '{"seen": {"name": {"pc": 5}}}', '{"told": []}', "\x00",
     '{"reservation": {"at": "soon", "run": "r"}}', "[" * 10_000],
    ids=lambda text: repr(text)[:20],
)  # fmt: skip
def test_an_unreadable_state_is_empty(text: str | None) -> None:
    assert parse(text) == SyncState()


def test_members_of_a_newer_version_are_ignored() -> None:
    assert parse('{"version": 2, "mood": "good", "outbound": true}') == SyncState(version=2, outbound=True)


def test_new_values_join_the_old_ones() -> None:
    state = SyncState(seen={"a": Seen(pc='"1"', crm='"1"'), "b": Seen(pc='"2"', crm='"2"')})
    after = state.with_seen({"b": ("3", None), "c": (("x",), "y")})
    assert after.seen == {
        "a": Seen(pc='"1"', crm='"1"'), "b": Seen(pc='"3"', crm=None), "c": Seen(pc='["x"]', crm='"y"'),
    }  # fmt: skip
    assert state.seen["b"] == Seen(pc='"2"', crm='"2"'), "the old state is unchanged"


def test_but() -> None:
    assert FULL.but(linking=False).linking is False
    assert FULL.linking is True


def test_a_fingerprint_is_read_again_by_the_next_version() -> None:
    """It stands in every row: another form would make every field of every deal look changed."""
    assert fingerprint("Größe ✔") == '"Größe ✔"'
    assert fingerprint(("SOL-1", "SOL-2")) == '["SOL-1", "SOL-2"]'
    assert fingerprint("ü" * 118) == f'"{"ü" * 118}"'
    assert fingerprint("ü" * 119) == "sha256:" + hashlib.sha256(f'"{"ü" * 119}"'.encode()).hexdigest()


def test_what_is_seen_is_no_longer_on_its_way() -> None:
    sent = {"name": Sent(pc="a"), "notes": Sent(pc="b")}
    assert SyncState(sent=sent).with_seen({"name": ("x", "y")}).sent == {"notes": Sent(pc="b")}
