"""A line of the audit trail as every flow writes it: at this moment, in the seller's language, under the run's id.

What a line looks like and how the column is kept short is `shared.domain.audit`'s; the words are the languages' of
`shared.domain.sentences`. A line is written with the change that it tells of, by `shared.handlers.opportunities`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from shared.connections import Connections
from shared.domain import audit
from shared.domain.sentences import Note

TO_PARTNER_CENTER, TO_CRM = "CRM>PC", "PC>CRM"


def line(
    connections: Connections,
    direction: str,
    operation: str,
    ok: bool,
    parts: Iterable[Note | str],
    run: uuid.UUID | str,
    referral_id: str | None,
) -> str:
    """`parts` are notes, or texts as they are; `run` is the correlation id."""
    text = connections.terms.sentences.told(parts)
    return audit.line(connections.clock(), direction, operation, ok, text, str(run), referral_id)
