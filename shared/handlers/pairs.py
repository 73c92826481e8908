"""Both sides of many pairs, read in few calls: what `shared.handlers.rehearsal` has to know of them.

For each pair the rows and referrals that flows 2 to 5 would read one by one: the opportunity with everything around it,
found by the CRM id that the referral names or by the id it carries, else the lead; the referral; and, where Microsoft
or another partner may be in the deal, all records of the engagement. Decides nothing; `shared.handlers.sweep` asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from shared.connections import Connections
from shared.domain import classify
from shared.domain.opportunity import CONTACT, Opportunity
from shared.domain.referral import Referral
from shared.domain.row import Row
from shared.errors import NotFound
from shared.handlers import leads
from shared.handlers.opportunities import guid, other_account, other_contact
from shared.handlers.rehearsal import Known
from shared.ports import Condition

_CARRIED = "cosell_referralidentifier"
_NEVER = datetime.min.replace(tzinfo=UTC)


class Pairs:
    """One page of pairs; `known` is what was read of them."""

    def __init__(self, connections: Connections) -> None:
        self._partner_center, self._dataverse = connections.partner_center, connections.dataverse
        self._terms = connections.terms
        self.known = Known()
        self._linked: dict[str, Opportunity] = {}
        """Referral id → the opportunity that carries it."""

    def read_referrals(self, referrals: Sequence[Referral]) -> list[Referral]:
        """Everything around these referrals; ours among them, and of the same deals where they are somebody else's."""
        self._keep(referrals)
        self._read_engagements(referral.engagement_id for referral in referrals if not self.is_ours(referral))
        ours = self._ours()
        self._read_carriers()
        self._read_microsofts()
        return ours

    def read_opportunities(self, opportunity_ids: Iterable[str]) -> None:
        """Everything around these opportunities."""
        self._read_rows(opportunity_ids)
        linked = [opportunity for opportunity in self._linked.values() if opportunity.synced]
        self._read_engagements(opportunity.row.text("cosell_engagementidentifier") for opportunity in linked)
        self._read_missing(opportunity.referral_id for opportunity in linked)
        self._read_carriers()
        self._read_microsofts()

    def is_ours(self, referral: Referral) -> bool:
        return not referral.is_microsofts and not referral.is_another_partners(self._terms.organization_id)

    def opportunity_of(self, referral: Referral) -> Opportunity | None:
        """The opportunity that carries this referral's id."""
        return self._linked.get(referral.id.lower())

    def referral_of(self, opportunity_id: str) -> Referral | None:
        """Our referral that this opportunity carries."""
        row = self.known.rows.get(("opportunity", opportunity_id))
        referral = self.known.referrals.get(Opportunity(row).referral_id or "") if row else None
        return referral if referral and self.is_ours(referral) else None

    def microsofts_of(self, referral: Referral) -> list[Referral]:
        """Microsoft's records of the deal, as far as they were read, the oldest first."""
        records = self.known.engagements.get(referral.engagement_id or "", [])
        return sorted((one for one in records if one.is_microsofts), key=lambda one: one.created_date_time or _NEVER)

    # Partner Center -------------------------------------------------------------------------------------------------
    def _ours(self) -> list[Referral]:
        return [one for one in self.known.referrals.values() if one and self.is_ours(one)]

    def _keep(self, referrals: Iterable[Referral]) -> None:
        self.known.referrals |= {referral.id.lower(): referral for referral in referrals}

    def _read_engagements(self, engagement_ids: Iterable[str | None]) -> None:
        found: dict[str, list[Referral]] = {
            one: [] for one in dict.fromkeys(engagement_ids) if one and one not in self.known.engagements
        }
        records = self._partner_center.engagements(found) if found else []
        for record in records:
            found.setdefault(record.engagement_id or "", []).append(record)
        self._keep(records)
        self.known.engagements |= found

    def _read_missing(self, referral_ids: Iterable[str | None]) -> None:
        """Those that came with no list, one by one."""
        for referral_id in {one.lower() for one in referral_ids if one} - self.known.referrals.keys():
            try:
                self._keep([self._partner_center.get(referral_id)])
            except NotFound:
                self.known.referrals[referral_id] = None

    def _read_microsofts(self) -> None:
        """All records of the deals in which Microsoft is, or may be."""
        pairs = [(referral, self.opportunity_of(referral)) for referral in self._ours()]
        shared = [
            (referral, opportunity)
            for referral, opportunity in pairs
            if opportunity
            and opportunity.synced
            and (opportunity.microsoft_referral_id or classify.kind(referral) != "private")
        ]
        self._read_engagements(referral.engagement_id for referral, _ in shared)
        self._read_missing(guid(opportunity.microsoft_referral_id) for _, opportunity in shared)

    # Dynamics 365 ---------------------------------------------------------------------------------------------------
    def _read_carriers(self) -> None:
        """The opportunity, else the lead, of each of our referrals; looked for as flow 4 does."""
        self._read_rows(_named(self._ours()))
        self._read_rows(row.id for rows in self._find("opportunity", ("name",), self._alone()).values() for row in rows)
        alone = self._alone()
        carried = self._find("lead", leads.COLUMNS, alone)
        self._read("lead", _named(one for one in alone if not carried[one.id.lower()]), leads.COLUMNS)

    def _alone(self) -> list[Referral]:
        """Our referrals without an opportunity so far."""
        return [referral for referral in self._ours() if self.opportunity_of(referral) is None]

    def _find(self, table: str, asked: Sequence[str], referrals: Sequence[Referral]) -> dict[str, list[Row]]:
        """Referral id → rows that carry it."""
        found: dict[str, list[Row]] = {referral.id.lower(): [] for referral in referrals}
        if found:
            where, most = [Condition(_CARRIED, list(found), "in")], 2 * len(found)
            for row in self._dataverse.find(table, where, tuple(dict.fromkeys((*asked, _CARRIED))), limit=most):
                found.setdefault((row.text(_CARRIED) or "").strip().lower(), []).append(row)
        self.known.carriers |= {(table, referral_id): rows for referral_id, rows in found.items()}
        return found

    def _read_rows(self, opportunity_ids: Iterable[str]) -> None:
        """Opportunities with everything around them, as `opportunities.load` reads one."""
        related = self._terms.related
        rows = self._read("opportunity", opportunity_ids, self._terms.columns, related)
        read = [Opportunity(row) for row in rows.values()]
        accounts = self._read("account", filter(None, map(other_account, read)), related["parentaccountid"])
        read = [Opportunity(one.row, accounts.get(other_account(one) or "")) for one in read]
        self._read("contact", (one for each in read if (one := other_contact(each, self._terms))), CONTACT)
        self._linked |= {one.referral_id: one for one in read if one.referral_id}

    def _read(
        self,
        table: str,
        row_ids: Iterable[str],
        asked: Sequence[str],
        related: Mapping[str, Sequence[str]] | None = None,
    ) -> dict[str, Row]:
        """The rows that were not read before; what does not exist is known as that."""
        wanted = [row_id for row_id in dict.fromkeys(row_ids) if (table, row_id) not in self.known.rows]
        found = self._dataverse.get_many(table, wanted, asked, related) if wanted else {}
        self.known.rows |= {(table, row_id): found.get(row_id) for row_id in wanted}
        return found


def _named(referrals: Iterable[Referral]) -> list[str]:
    return [known for referral in referrals if (known := guid(referral.external_reference_id))]
