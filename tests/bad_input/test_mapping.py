"""A user's own mapping file that cannot be used: one sentence that names the row, before any deal is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import mapping_file
from shared.errors import ConfigurationError
from shared.messages import Hint, Queue
from shared.terms_source import read_terms
from tests.bad_input.pair import bench, settings
from tests.fakes.clock import VirtualClock
from tests.fakes.dataverse import FakeDataverse


def refusal(file: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as refused:
        mapping_file.load(settings(FIELD_MAPPING_FILE=str(file)))
    assert "\n" not in refused.value.sentence
    assert "FIELD_MAPPING_FILE" in refused.value.remedy
    return refused.value


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        (b"opportunity = [", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"<html>", "cannot be read"),
    ],
    ids=["missing", "not TOML", "not UTF-8", "a page"],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, says: str) -> None:
    file = tmp_path / "mapping.toml"
    if content is not None:
        file.write_bytes(content)
    error = refusal(file)
    assert error.code == "MAPPING_UNREADABLE"
    assert str(file) in error.sentence
    assert says in error.sentence


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('opportunities = [{ field = "x" }]', "'opportunities' is not a table of the mapping"),
        ('opportunity = [{ column = "x" }]', "opportunity row 1 of the overlay has no 'field'"),
        ('opportunity = ["deal_value"]', "opportunity row 1 of the overlay has no 'field'"),
        ('opportunity = [{ field = "deal_value", column = "Est. Revenue" }]', "opportunity.deal_value: column"),
        ('opportunity = [{ field = "deal_value", rule = "guess" }]', "rule 'guess' is unknown; choose one of name,"),
        ('opportunity = [{ field = "deal_value", colunm = "x" }]', "opportunity.deal_value: colunm"),
        (
            'opportunity = [{ field = "region", referral = "customerProfile.address.region", column = "new_region",'
            ' to_pc = "update" }]',
            "Partner Center does not accept updates of 'customerProfile.address.region'",
        ),
        ('opportunity = [{ field = "rating", values = "stars" }]', "opportunity.rating: there is no value map 'stars'"),
    ],
)
def test_rows_that_make_no_sense_are_named(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(content)
    error = refusal(file)
    assert error.code == "MAPPING_INVALID"
    assert says in error.sentence


@pytest.mark.parametrize(
    "content", ['opportunity = "deal_value"', "opportunity = 3", 'values = "x"', "values = { stage = 3 }"]
)
def test_parts_of_another_kind_are_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(content)
    assert refusal(file).code == "MAPPING_INVALID"


def test_a_column_that_does_not_exist_is_named_with_its_field(tmp_path: Path) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text('opportunity = [{ field = "deal_value", column = "new_nowhere" }]')
    chosen = settings(FIELD_MAPPING_FILE=str(file), COUNTRY_COLUMN="new_missing")
    with pytest.raises(ConfigurationError) as refused:
        read_terms(chosen, mapping_file.load(chosen), FakeDataverse(VirtualClock()))
    assert refused.value.code == "MAPPING_COLUMN_UNUSABLE"
    assert "opportunity.new_nowhere (field deal_value)" in refused.value.sentence
    assert "account.new_missing (field country)" in refused.value.sentence
    assert "FIELD_MAPPING_FILE" in refused.value.remedy


def test_deals_wait_until_the_mapping_is_corrected() -> None:
    """The message stays in its queue, due again in a minute, and nothing is parked."""
    world = bench()
    hint = Hint(subject="referral", id="0b6f0c1e-1111-4222-8333-444455556666", reason="test")

    def handle(_hint: Hint, _connections: object) -> str:
        raise ConfigurationError("MAPPING_COLUMN_UNUSABLE", "The field mapping names columns that do not exist.")

    world.deliver(Queue.PARTNER_CENTER_EVENTS, hint, handle)
    assert world.queues.parked() == []
    assert len(world.queues.bodies(Queue.PARTNER_CENTER_EVENTS)) == 1
    due_at = world.queues.next_due_at()
    assert due_at is not None
    assert (due_at - world.clock()).total_seconds() == 60
