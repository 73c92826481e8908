"""Reads the shipped mapping tables and a user's overlay from disk; `shared.domain.mapping` checks and joins them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from shared.domain.mapping import Mapping, build
from shared.errors import ConfigurationError
from shared.settings import Settings

_HERE = Path(__file__).parent


def load(settings: Settings) -> Mapping:
    """The mapping of this installation; `ConfigurationError` when the overlay cannot be read or used."""
    overlay = None
    if settings.field_mapping_file:
        try:
            overlay = _read(Path(settings.field_mapping_file))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                "MAPPING_UNREADABLE",
                f"The field mapping file {settings.field_mapping_file} cannot be read: {error}.",
                "Correct FIELD_MAPPING_FILE or the file; it has the format of shared/field_mapping.toml.",
            ) from None
    return build(
        _read(_HERE / "field_mapping.toml"),
        _read(_HERE / "field_values.toml"),
        _read(_HERE / "countries.toml"),
        overlay=overlay,
        columns={"deal_value": settings.value_column, "country": settings.country},
        deal_value_fallback=settings.deal_value_fallback,
    )


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return tomllib.load(file)
