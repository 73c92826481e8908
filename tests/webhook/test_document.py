"""Every refusal the webhook can give stands in docs/security-webhook.md, and nothing there is out of date."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [*ROOT.glob("shared/webhook/*.py"), ROOT / "shared/trust.py", ROOT / "shared/clients/certificates.py"]
_RAISED = re.compile(r'(?:Rejected|Unavailable|_refused|_unauthorized|_untrusted)\(\s*"([A-Z0-9_]+)"')


def test_the_table_of_answers_is_complete() -> None:
    raised = {code for source in SOURCES for code in _RAISED.findall(source.read_text(encoding="utf-8"))}
    raised |= {"WRONG_SIGNATURE"}  # a constant there, because `shared.trust` asks for it
    answers = (ROOT / "docs/security-webhook.md").read_text(encoding="utf-8").split("## Answers")[1].split("\n## ")[0]
    assert len(raised) > 20
    assert set(re.findall(r"`([A-Z0-9_]{6,})`", answers)) == raised
