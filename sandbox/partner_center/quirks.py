"""Where sources on Partner Center disagree or are silent: one switch each, with the likeliest answer as the default.

Set by `PUT /_sim/quirks`, so that a client can be held against every answer the real service might give. Switches of
the form of answers are applied in `rendering`, the others where the decision is made.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Quirks(BaseModel):
    model_config = ConfigDict(extra="forbid")

    # create
    create_status: Literal[200, 201, 202] = 200
    omit_etag_on_create: bool = False
    strict: bool = True
    """Hold new deals against the rules that the portal and the CSV import enforce, and refuse unknown properties."""
    require_marketplace_intent: bool = False
    """The portal asks for `CustomerMarketplaceIntent`; that the API does is not documented."""
    type_from_consent: bool = False
    """The service derives `type` from the consent to share, instead of taking the request's."""

    # change
    conflict_status: Literal[412, 409] = 412
    propagate_shared_data: bool = True
    """Value, closing date and notes go from one record of an engagement to the others."""
    tracking_on: Literal["both", "microsoft", "own"] = "both"
    """Which record carries Microsoft's CRM id."""
    related_event_names: Literal["theirs", "ours"] = "theirs"
    """Whose id a `related-…` event carries."""
    portal_utc_offset_h: float = Field(default=0, ge=-12, le=14)
    """A date picked in the portal is stored as that day's midnight there: 1 gives 23:00Z of the day before."""

    # list
    page_size: int = Field(default=100, ge=1, le=1000)
    next_link: Literal["same_path", "as_documented"] = "same_path"
    """As documented: scheme http and a path without `engagements`."""
    external_reference_filter: bool = True
    date_literals: Literal["any", "unquoted", "quoted", "refused"] = "any"
    microsoft_in_full_list: bool = False
    list_lag_s: float = Field(default=0, ge=0, le=600)

    # form of answers
    region_for_state: bool = False
    empty_as: Literal["null", "missing", "blank"] = "null"
    """Text without a value."""
    pascal_case_consent: bool = False
    unknown_extras: bool = False
    """Properties and enum words that no documentation knows."""
    ids_as_object: bool = False
    always_incoming: bool = False
    hide_last_modified_via: bool = False
