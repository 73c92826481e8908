"""Events that are correctly signed and still must lead to nothing (P8): replays, foreign addresses, unknown families.

A captured request stays correctly signed for ever, so what it says is judged too. Ignored means: answered 200, no id,
nothing fetched. Malformed means 400.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.errors import Rejected
from shared.trust import WebhookTrust
from shared.webhook.event import Event, Kind
from tests.security import pki
from tests.security.doubles import Hand, Shelf

ID = pki.REFERRAL
GOOD = f"https://api.partnercenter.microsoft.com/engagements/v1/referrals/{ID}"

IGNORED: dict[str, dict[str, Any]] = {
    "replay-of-an-old-event": {"ResourceChangeUtcDate": pki.at(timedelta(days=-14, seconds=-1))},
    "replay-of-the-first-century": {"ResourceChangeUtcDate": "0001-01-01T00:00:00Z"},
    "change-in-the-future": {"ResourceChangeUtcDate": pki.at(timedelta(hours=1))},
    "change-in-the-far-future": {"ResourceChangeUtcDate": "9999-12-31T23:59:59.9999999+00:00"},
    "offset-hides-the-future": {"ResourceChangeUtcDate": pki.at(timedelta(0), "-10:00")},
    "unknown-event": {"EventName": "invoice-ready"},
    "unknown-event-mixed-case": {"EventName": "usagerecords-thresholdExceeded"},
    "event-name-in-capitals": {"EventName": "REFERRAL-UPDATED"},
    "resource-foreign-host": {"ResourceUri": f"https://evil.example/engagements/v1/referrals/{ID}"},
    "resource-host-suffix": {"ResourceUri": f"https://evilapi.partnercenter.microsoft.com/v1/referrals/{ID}"},
    "resource-host-prefix": {"ResourceUri": f"https://api.partnercenter.microsoft.com.evil.example/referrals/{ID}"},
    "resource-user-info": {"ResourceUri": f"https://api.partnercenter.microsoft.com@evil.example/referrals/{ID}"},
    "resource-port": {"ResourceUri": f"https://api.partnercenter.microsoft.com:444/referrals/{ID}"},
    "resource-http": {"ResourceUri": GOOD.replace("https", "http")},
    "resource-dot-segments": {"ResourceUri": GOOD.replace("/v1/", "/v1/../../admin/")},
    "resource-encoded-dot-segments": {"ResourceUri": GOOD.replace("/v1/", "/v1/%2e%2e/")},
    "resource-backslash": {"ResourceUri": GOOD.replace("/v1/", "\\v1/")},
    "resource-double-slash": {"ResourceUri": GOOD.replace("/v1/", "/v1//")},
    "resource-query": {"ResourceUri": GOOD + "?next=https://evil.example"},
    "resource-fragment": {"ResourceUri": GOOD + "#x"},
    "resource-path-after-id": {"ResourceUri": GOOD + "/delete"},
    "resource-trailing-slash": {"ResourceUri": GOOD + "/"},
    "resource-no-id": {"ResourceUri": "https://api.partnercenter.microsoft.com/engagements/v1/referrals/"},
    "resource-number": {"ResourceUri": GOOD.replace(ID, "12345")},
    "resource-not-a-guid": {"ResourceUri": GOOD.replace(ID, "zf0c6a52-7d34-4a1b-8a55-3f1f6b2d9e70")},
    "resource-guid-in-braces": {"ResourceUri": GOOD.replace(ID, "{" + ID + "}")},
    "resource-guid-without-dashes": {"ResourceUri": GOOD.replace(ID, ID.replace("-", ""))},
    "resource-guid-other-digits": {"ResourceUri": GOOD.replace("1f0c", "١f0c")},
    "resource-long-s": {"ResourceUri": GOOD.replace("partnercenter.microsoft", "partnercenter.microſoft")},
    "resource-line-break": {"ResourceUri": GOOD + "\n"},
    "resource-query-filter-injection": {"ResourceUri": GOOD.replace(ID, ID + "' or '1' eq '1")},
    "resource-relative": {"ResourceUri": f"/engagements/v1/referrals/{ID}"},
    "resource-file": {"ResourceUri": f"file:///etc/{ID}"},
    "resource-lone-surrogate": {"ResourceUri": GOOD + "\ud800"},
}

MALFORMED: dict[str, dict[str, Any]] = {
    "name-missing": {"EventName": None},
    "name-empty": {"EventName": ""},
    "name-number": {"EventName": 7},
    "name-list": {"EventName": ["referral-updated"]},
    "name-line-break": {"EventName": "referral-updated\nlevel=error"},
    "name-very-long": {"EventName": "a" * 129},
    "resource-missing": {"ResourceUri": None},
    "resource-object": {"ResourceUri": {"href": GOOD}},
    "resource-very-long": {"ResourceUri": GOOD + "a" * 2048},
    "resource-name-missing": {"ResourceName": None},
    "time-missing": {"ResourceChangeUtcDate": None},
    "time-number": {"ResourceChangeUtcDate": 1772629331},
    "time-words": {"ResourceChangeUtcDate": "yesterday"},
    "time-month-13": {"ResourceChangeUtcDate": "2026-13-04T13:02:11Z"},
    "time-date-only": {"ResourceChangeUtcDate": "2026-03-04"},
    "time-before-time-began": {"ResourceChangeUtcDate": "0001-01-01T00:00:00+14:00"},
    "time-other-digits": {"ResourceChangeUtcDate": "٢٠٢٦-03-04T13:02:11Z"},
}


def admit(**changes: Any) -> Event:
    body = pki.event_body(**changes)
    return WebhookTrust(Shelf(), Hand(), pki.policy()).admit(pki.headers(body), body)


@pytest.mark.parametrize("name", IGNORED)
def test_event_is_ignored(name: str) -> None:
    event = admit(**IGNORED[name])
    assert event.kind is Kind.IGNORED
    assert event.referral_id is None
    assert event.because.endswith(".")


@pytest.mark.parametrize("name", MALFORMED)
def test_event_is_malformed(name: str) -> None:
    with pytest.raises(Rejected) as refusal:
        admit(**MALFORMED[name])
    assert (refusal.value.code, refusal.value.status) == ("MALFORMED_EVENT", 400)
    assert next(iter(MALFORMED[name])) in refusal.value.sentence, "the sentence says which member is wrong"
