"""A Partner Center referral as read: lenient about casing, nulls, missing and unknown members; strict about nothing.

Reading never fails on contract-valid or merely odd documents (P15): unknown members are kept in `model_extra`, unknown
enum words are plain text. Property list and quirks: Referrals API reference, resource "Referral", and its OpenAPI file.
What the connector writes is built in `shared.domain.outgoing`, never by dumping this model.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from shared.domain import texts

MICROSOFT = "msft"
"""Organisation and target id of Microsoft's own referral in an engagement."""
_FIRST_YEAR = 1754
"""Dataverse holds no moment before 1753; .NET writes 0001-01-01 where it means none."""


_WORDS = (str, int, float, Decimal)
"""What stands for a text or a number."""
_OBJECTS = (dict, BaseModel)


def _text(value: Any) -> str | None:
    """None, blank and non-text all mean "no value"; numbers become text (salesStage comes as 40 or "40")."""
    if isinstance(value, bool) or not isinstance(value, _WORDS):
        return None
    text = texts.whole_characters(str(value))
    return text if text.strip() else None


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, _WORDS):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    else:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if moment.year < _FIRST_YEAR:
        return None
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def _flag(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _objects(value: Any) -> list[Any]:
    """A list of objects; null, {}, a single object and stray scalars occur in real answers."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, _OBJECTS) and item]


def _object(value: Any) -> Any:
    return value if isinstance(value, _OBJECTS) else {}


Text = Annotated[str | None, BeforeValidator(_text)]
Number = Annotated[Decimal | None, BeforeValidator(_number)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]


class Wire(BaseModel):
    """Camel-case members, found whatever their casing; unknown ones kept."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _fold_case(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if data.keys() <= _names(cls):
            return data
        known = _members(cls)
        folded: dict[str, Any] = {}
        for key, value in data.items():
            name = known.get(str(key).lower(), str(key))
            if name not in folded or key == name:
                folded[name] = value
        return folded


@cache
def _names(model: type[BaseModel]) -> frozenset[str]:
    """The members as the model spells them."""
    return frozenset(_members(model).values())


@cache
def _members(model: type[BaseModel]) -> dict[str, str]:
    """Member in lower case → as the model spells it."""
    return {(field.alias or name).lower(): field.alias or name for name, field in model.model_fields.items()}


class Member(Wire):
    """A person of the partner's or the customer's team; identified by e-mail, as the API gives no id."""

    first_name: Text = None
    last_name: Text = None
    email: Text = None
    phone_number: Text = None
    title: Text = None


class Address(Wire):
    address_line1: Text = None
    address_line2: Text = None
    city: Text = None
    region: Text = None
    state: Annotated[Text, Field(validate_default=True)] = None
    postal_code: Text = None
    country: Text = None

    @field_validator("state")
    @classmethod
    def _or_region(cls, state: str | None, info: ValidationInfo) -> str | None:
        """Real answers carry the state in either."""
        return state or info.data.get("region")


class ProfileId(Wire):
    profile_type: Text = None
    id: Text = None


Members = Annotated[list[Member], BeforeValidator(_objects)]


class CustomerProfile(Wire):
    name: Text = None
    size: Text = None
    address: Annotated[Address, BeforeValidator(_object)] = Address()
    team: Members = []
    ids: Annotated[list[ProfileId], BeforeValidator(_objects)] = []


class Consent(Wire):
    consent_to_contact: Flag = None
    consent_to_to_share_info_with_others: Flag = None
    consent_to_share_referral_with_microsoft_sellers: Flag = None


class Solution(Wire):
    id: Text = None
    name: Text = None
    type: Text = None


class Target(Wire):
    type: Text = None
    id: Text = None


class Attribute(Wire):
    type: Text = None
    id: Text = None


class AdditionalRequirements(Wire):
    attributes: Annotated[list[Attribute], BeforeValidator(_objects)] = []


class Requirements(Wire):
    solutions: Annotated[list[Solution], BeforeValidator(_objects)] = []
    additional_requirements: Annotated[AdditionalRequirements, BeforeValidator(_object)] = AdditionalRequirements()


class Details(Wire):
    notes: Text = None
    deal_value: Number = None
    currency: Text = None
    closing_date_time: Moment = None
    requirements: Annotated[Requirements, BeforeValidator(_object)] = Requirements()


class InvitedBy(Wire):
    organization_id: Text = None
    organization_name: Text = None


class InviteContext(Wire):
    notes: Text = None
    assistance_request_code: Text = None
    invited_by: Annotated[InvitedBy, BeforeValidator(_object)] = InvitedBy()


class TrackingInfo(Wire):
    microsoft_msx_id: Text = None


class Referral(Wire):
    """One organisation's record of a deal; all records of a deal share `engagement_id`."""

    id: Annotated[str, BeforeValidator(lambda value: _text(value) or "")] = ""
    engagement_id: Text = None
    organization_id: Text = None
    organization_name: Text = None
    e_tag: Annotated[str | None, BeforeValidator(_text)] = None
    external_reference_id: Text = None
    name: Text = None
    status: Text = None
    substatus: Text = None
    status_reason: Text = None
    type: Text = None
    qualification: Text = None
    direction: Text = None
    sales_stage: Text = None
    campaign_id: Text = None
    is_spam: Flag = None
    referral_source: Text = None
    call_to_action: Text = None
    created_date_time: Moment = None
    updated_date_time: Moment = None
    expiration_date_time: Moment = None
    accepted_date_time: Moment = None
    closed_date_time: Moment = None
    target: Annotated[list[Target], BeforeValidator(_objects)] = []
    customer_profile: Annotated[CustomerProfile, BeforeValidator(_object)] = CustomerProfile()
    consent: Annotated[Consent, BeforeValidator(_object)] = Consent()
    details: Annotated[Details, BeforeValidator(_object)] = Details()
    team: Members = []
    invite_context: Annotated[InviteContext, BeforeValidator(_object)] = InviteContext()
    tracking_info: Annotated[TrackingInfo, BeforeValidator(_object)] = TrackingInfo()

    @property
    def is_microsofts(self) -> bool:
        """Whether this is Microsoft's record of the deal, not ours."""
        return (self.organization_id or "").lower() == MICROSOFT or any(
            (target.id or "").lower() == MICROSOFT for target in self.target
        )

    def is_another_partners(self, own_organization: str | None) -> bool:
        """Whether the record belongs to a third party; never, as long as our own organisation is not known."""
        return (
            bool(own_organization and self.organization_id)
            and not self.is_microsofts
            and ((self.organization_id or "").lower() != (own_organization or "").lower())
        )

    @property
    def is_closed(self) -> bool:
        return (self.status or "").lower() == "closed" or (self.substatus or "").lower() == "error"
