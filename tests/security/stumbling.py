"""Errors as they come: everything of one that people may read, and those that quote what they stumbled on."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import requests
from pydantic import BaseModel

from shared.domain import audit
from shared.errors import SyncError
from shared.telemetry import describe
from tests.security import canaries

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def shown(error: BaseException) -> str:
    """Everything of an error that somebody may read or write down, its detail included."""
    texts = [str(error), repr(error), str(error.args), *traceback.format_exception(error), describe(error)]
    if isinstance(error, SyncError):
        texts += [error.code, error.sentence, error.remedy, error.detail]
        texts += [
            audit.line(NOW, "CRM>PC", "create", False, f"{error.code}: {error.detail}", canaries.GUID, canaries.GUID)
        ]
    return "\n".join(texts)


class Strict(BaseModel):
    amount: int


def unforeseen() -> list[BaseException]:
    """What libraries and the interpreter raise, quoting what they stumbled on."""
    causes: list[Callable[[], object]] = [
        lambda: int(canaries.NOTE),
        lambda: dict[str, str]()[canaries.MAILBOX],
        lambda: datetime.fromisoformat(canaries.NOTE),
        lambda: Decimal(canaries.NOTE),
        lambda: Strict.model_validate({"amount": canaries.NOTE}),
        lambda: Strict.model_validate_json(json.dumps(canaries.PERSON)),
        lambda: requests.get(f"https://localhost:1/x?code={canaries.FUNCTION_KEY}&mail={canaries.MAILBOX}", timeout=1),
        lambda: canaries.NOTE.encode().decode("utf-16").encode("ascii"),
    ]
    found: list[BaseException] = []
    for cause in causes:
        try:
            cause()
        except Exception as error:  # noqa: BLE001 - they are what this is about
            found.append(error)
    assert len(found) == len(causes)
    return found
