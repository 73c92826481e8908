"""The port `Dataverse`, on the fake and on the real client: what both must do alike."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox.clients import Seller
from shared.errors import ConfigurationError, Conflict, DataProblem, NotFound
from shared.ports import Condition, Dataverse, Lookup, Row
from tests.contract.cloud import Cloud
from tests.fakes.clock import VirtualClock
from tests.fakes.dataverse import APP_USER, SELLER, FakeDataverse

NASTY = [
    "O'Neil & Sons",
    "50% off + more #1",
    "a/b\\c?d=e&f",
    "Zürich – Größe ✔",
    "日本語 🏢",
    "''; drop",
    'say "hi"',
    "(x) eq 'y' or name ne 'z'",
    "%27 %2527",
    "line\nbreak\ttab",
]


@dataclass
class Bench:
    """The port under test, and a seller who edits behind its back."""

    port: Dataverse
    edit: Callable[..., None]

    def account(self, **values: Any) -> str:
        return self.port.create("account", {"name": "Contoso", "address1_city": "Redmond", **values})

    def opportunity(self, **values: Any) -> str:
        return self.port.create("opportunity", {"name": "Contoso warehouse", **values})

    def solution(self, opportunity_id: str, solution_id: str = "SOL-1") -> str:
        parent = {"cosell_opportunityid": Lookup("opportunity", opportunity_id)}
        return self.port.create("cosell_microsoftsolution", {"cosell_solutionid": solution_id, **parent})

    def etag(self, opportunity_id: str) -> str:
        return self.port.get("opportunity", opportunity_id, ["name"]).etag


@pytest.fixture(params=["fake", "client"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "fake":
        fake = FakeDataverse(VirtualClock())
        seller = fake.as_user(SELLER)
        yield Bench(fake, lambda table, row_id, **values: seller.update(table, row_id, values, None))
        return
    cloud: Cloud = request.getfixturevalue("cloud")
    port = cloud.dataverse
    cloud.control("POST", cloud.layout.dataverse_url, "/reset")
    person = Seller(cloud.layout)
    sets = {"opportunity": "opportunities", "account": "accounts"}
    yield Bench(port, lambda table, row_id, **values: person.update(sets[table], row_id, **values))
    person.close()


def currency(bench: Bench, code: str = "EUR") -> Lookup:
    (row,) = bench.port.find("transactioncurrency", [Condition("isocurrencycode", code)], ["isocurrencycode"])
    return Lookup("transactioncurrency", row.id)


# reading and writing values -------------------------------------------------------------------------------------------
def test_values_come_back_as_they_were_written(bench: Bench) -> None:
    account = Lookup("account", bench.account())
    written = {
        "name": "Größe ✔ O'Neil",
        "description": "two\nlines",
        "estimatedvalue": Decimal("84500.55"),
        "estimatedclosedate": date(2026, 10, 30),
        "cosell_syncwithpartnercenter": True,
        "cosell_howcanmicrosofthelp": 100000003,
        "cosell_respondby": datetime(2026, 3, 16, 0, 0, tzinfo=UTC),
        "cosell_syncstate": '{"v":1}' * 1000,
        "customerid": account,
        "parentaccountid": account,
        "transactioncurrencyid": currency(bench),
        "closeprobability": 40,
    }
    row = bench.port.get("opportunity", bench.opportunity(**written), list(written))
    assert row.values == written
    assert isinstance(row.values["estimatedvalue"], Decimal)
    assert type(row.values["estimatedclosedate"]) is date


def test_whole_amounts_are_decimals_too(bench: Bench) -> None:
    row = bench.port.get("opportunity", bench.opportunity(estimatedvalue=Decimal(125000)), ["estimatedvalue"])
    assert row.values["estimatedvalue"] == Decimal(125000)
    assert isinstance(row.values["estimatedvalue"], Decimal)


def test_moments_keep_whole_seconds_in_utc(bench: Bench) -> None:
    moment = datetime(2026, 3, 2, 10, 15, 30, 482193, tzinfo=UTC)
    row = bench.port.get("opportunity", bench.opportunity(cosell_lastsyncedon=moment), ["cosell_lastsyncedon"])
    assert row.values["cosell_lastsyncedon"] == moment.replace(microsecond=0)


def test_a_text_that_looks_like_a_date_stays_text(bench: Bench) -> None:
    row = bench.port.get("opportunity", bench.opportunity(name="2026-10-30"), ["name"])
    assert row.values["name"] == "2026-10-30"


def test_empty_columns_are_none_and_empty_text_is_empty(bench: Bench) -> None:
    opportunity = bench.opportunity(description="")
    row = bench.port.get("opportunity", opportunity, ["description", "customerid", "estimatedclosedate"])
    assert row.values == {"description": None, "customerid": None, "estimatedclosedate": None}


def test_a_new_row_has_an_owner_a_state_and_who_wrote_it(bench: Bench) -> None:
    columns = ["ownerid", "statecode", "statuscode", "createdon", "modifiedby"]
    row = bench.port.get("opportunity", bench.opportunity(), columns)
    me = Lookup("systemuser", bench.port.user_id())
    assert (row.values["statecode"], row.values["statuscode"]) == (0, 1)
    assert row.values["ownerid"] == row.values["modifiedby"] == me
    assert isinstance(row.values["createdon"], datetime)
    assert row.values["createdon"].tzinfo is not None


def test_a_missing_row_is_not_found(bench: Bench) -> None:
    with pytest.raises(NotFound):
        bench.port.get("opportunity", str(uuid.uuid4()), ["name"])


def test_cleared_columns_and_lookups_are_none(bench: Bench) -> None:
    account = Lookup("account", bench.account())
    opportunity = bench.opportunity(description="x", parentaccountid=account, cosell_respondby=datetime.now(UTC))
    cleared = {"description": None, "parentaccountid": None, "cosell_respondby": None}
    bench.port.update("opportunity", opportunity, cleared, None)
    assert bench.port.get("opportunity", opportunity, list(cleared)).values == cleared


# expand ---------------------------------------------------------------------------------------------------------------
def test_one_get_brings_the_related_rows(bench: Bench) -> None:
    account = bench.account(address1_country="US")
    contact = bench.port.create("contact", {"lastname": "Lind", "parentcustomerid": Lookup("account", account)})
    opportunity = bench.opportunity(
        customerid=Lookup("account", account),
        parentcontactid=Lookup("contact", contact),
        transactioncurrencyid=currency(bench),
    )
    for solution in ("SOL-1", "SOL-2"):
        bench.solution(opportunity, solution)
    expand = {
        "customerid": ["name", "address1_country", "lastname"],
        "parentcontactid": ["lastname", "parentcustomerid"],
        "parentaccountid": ["name"],
        "transactioncurrencyid": ["isocurrencycode"],
        "ownerid": ["fullname", "internalemailaddress"],
        "originatingleadid": ["subject"],
        "cosell_microsoftsolution": ["cosell_solutionid", "cosell_opportunityid"],
    }
    expanded: Mapping[str, Any] = bench.port.get("opportunity", opportunity, ["name"], expand).expanded
    assert (expanded["customerid"].table, expanded["customerid"].id) == ("account", account)
    assert expanded["customerid"].values == {"name": "Contoso", "address1_country": "US"}
    assert expanded["parentcontactid"].values == {"lastname": "Lind", "parentcustomerid": Lookup("account", account)}
    assert expanded["parentcontactid"].etag.startswith('W/"')
    assert expanded["parentaccountid"].id == account, "the potential customer is the account, too"
    assert expanded["transactioncurrencyid"].values == {"isocurrencycode": "EUR"}
    assert expanded["ownerid"].id == bench.port.user_id()
    assert expanded["originatingleadid"] is None
    solutions = expanded["cosell_microsoftsolution"]
    assert sorted(row.values["cosell_solutionid"] for row in solutions) == ["SOL-1", "SOL-2"]
    assert {row.values["cosell_opportunityid"] for row in solutions} == {Lookup("opportunity", opportunity)}


def test_a_customer_may_be_a_contact(bench: Bench) -> None:
    contact = bench.port.create("contact", {"firstname": "Ada", "lastname": "Lind"})
    opportunity = bench.opportunity(customerid=Lookup("contact", contact))
    row = bench.port.get("opportunity", opportunity, ["customerid"], {"customerid": ["name", "fullname"]})
    assert row.values["customerid"] == Lookup("contact", contact)
    customer = row.expanded["customerid"]
    assert isinstance(customer, Row)
    assert (customer.table, customer.values) == ("contact", {"fullname": "Ada Lind"})


def test_no_children_are_an_empty_list(bench: Bench) -> None:
    row = bench.port.get("opportunity", bench.opportunity(), [], {"cosell_microsoftsolution": ["cosell_name"]})
    assert row.expanded["cosell_microsoftsolution"] == []


# many rows ------------------------------------------------------------------------------------------------------------
def test_many_rows_come_as_one_alone_would(bench: Bench) -> None:
    account = Lookup("account", bench.account())
    ids = [
        bench.opportunity(name=name, customerid=account, estimatedvalue=Decimal("84500.55"), description=description)
        for name, description in (("O'Neil ✔", "two\r\nlines\r\n\r\nand --batch_ in it"), ("日本語 🏢", None))
    ]
    bench.solution(ids[0])
    columns = ["name", "description", "customerid", "estimatedvalue", "createdon", "cosell_syncwithpartnercenter"]
    expand = {
        "parentaccountid": ["name"],
        "ownerid": ["fullname"],
        "originatingleadid": ["subject"],
        "cosell_microsoftsolution": ["cosell_solutionid"],
    }
    missing = str(uuid.uuid4())
    found = bench.port.get_many("opportunity", [*ids, missing, ids[0]], columns, expand)
    assert found == {row_id: bench.port.get("opportunity", row_id, columns, expand) for row_id in ids}
    assert bench.port.get_many("opportunity", [missing], columns, expand) == {}
    assert bench.port.get_many("opportunity", [], columns) == {}


def test_more_rows_than_one_part_of_a_batch_holds(bench: Bench) -> None:
    first, last = bench.account(name="first"), bench.account(name="last")
    between = [str(uuid.uuid4()) for _ in range(50)]
    found = bench.port.get_many("account", [first, *between, last], ["name"])
    assert {row_id: row.values["name"] for row_id, row in found.items()} == {first: "first", last: "last"}


def test_an_unknown_column_of_many_rows_is_the_operators_business(bench: Bench) -> None:
    with pytest.raises(ConfigurationError) as caught:
        bench.port.get_many("opportunity", [bench.opportunity()], ["new_nosuchcolumn"])
    assert caught.value.code == "DV_COLUMN"


def test_one_of_several_values_is_found(bench: Bench) -> None:
    referrals = [str(uuid.uuid4()) for _ in range(3)]
    ids = [bench.opportunity(cosell_referralidentifier=one, description=f"x {one}") for one in referrals]
    where = [Condition("cosell_referralidentifier", [referrals[0].upper(), referrals[2], str(uuid.uuid4())], "in")]
    assert {row.id for row in bench.port.find("opportunity", where, ["name"])} == {ids[0], ids[2]}
    both = [*where, Condition("description", f"x {referrals[2]}")]
    assert [row.id for row in bench.port.find("opportunity", both, ["name"])] == [ids[2]]
    assert bench.port.find("opportunity", [Condition("name", ["' or name ne '", "x"], "in")], ["name"]) == []


# versions -------------------------------------------------------------------------------------------------------------
def test_every_write_makes_a_new_version_even_without_a_change(bench: Bench) -> None:
    opportunity = bench.opportunity(description="x")
    first = bench.etag(opportunity)
    assert bench.etag(opportunity) == first, "reading makes none"
    bench.port.update("opportunity", opportunity, {"description": "x"}, first)
    assert bench.etag(opportunity) != first


def test_an_older_version_is_a_conflict_and_writes_nothing(bench: Bench) -> None:
    opportunity = bench.opportunity()
    etag = bench.etag(opportunity)
    bench.edit("opportunity", opportunity, description="the seller's")
    with pytest.raises(Conflict) as caught:
        bench.port.update("opportunity", opportunity, {"description": "mine"}, etag)
    assert caught.value.code == "DV_VERSION"
    assert bench.port.get("opportunity", opportunity, ["description"]).values == {"description": "the seller's"}


def test_without_an_etag_any_version_is_written_and_other_columns_stay(bench: Bench) -> None:
    opportunity = bench.opportunity(description="before")
    bench.edit("opportunity", opportunity, name="the seller's")
    bench.port.update("opportunity", opportunity, {"description": "mine"}, None)
    row = bench.port.get("opportunity", opportunity, ["name", "description"])
    assert row.values == {"name": "the seller's", "description": "mine"}


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_an_update_never_creates(bench: Bench, etag: str | None) -> None:
    row_id = str(uuid.uuid4())
    with pytest.raises(NotFound):
        bench.port.update("opportunity", row_id, {"name": "ghost"}, etag)
    with pytest.raises(NotFound):
        bench.port.get("opportunity", row_id, ["name"])


# keys -----------------------------------------------------------------------------------------------------------------
def test_a_key_belongs_to_one_row_whatever_its_case(bench: Bench) -> None:
    referral = str(uuid.uuid4())
    bench.opportunity(cosell_referralidentifier=referral)
    other = bench.opportunity()
    for attempt in (
        lambda: bench.opportunity(cosell_referralidentifier=referral.upper()),
        lambda: bench.port.update("opportunity", other, {"cosell_referralidentifier": referral}, None),
    ):
        with pytest.raises(Conflict) as caught:
            attempt()
        assert caught.value.code == "DV_DUPLICATE"


def test_an_incomplete_key_hinders_nobody(bench: Bench) -> None:
    opportunity = bench.opportunity()
    assert bench.opportunity() != opportunity
    bench.solution(opportunity, "SOL-1")
    with pytest.raises(Conflict):
        bench.solution(opportunity, "sol-1 ")
    bench.solution(bench.opportunity(), "SOL-1")


def test_an_id_can_be_chosen_once(bench: Bench) -> None:
    row_id = str(uuid.uuid4())
    assert bench.port.create("opportunity", {"name": "first"}, row_id) == row_id
    with pytest.raises(Conflict) as caught:
        bench.port.create("opportunity", {"name": "second"}, row_id)
    assert caught.value.code == "DV_DUPLICATE"


# find -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NASTY, ids=range(len(NASTY)))
def test_any_text_is_found_as_it_is_and_nothing_else(bench: Bench, name: str) -> None:
    wanted = bench.account(name=name)
    bench.account(name="another")
    assert [row.id for row in bench.port.find("account", [Condition("name", name)], ["name"])] == [wanted]


def test_text_compares_without_case_and_trailing_blanks(bench: Bench) -> None:
    wanted = bench.account(name="Northgate Foods")
    assert [r.id for r in bench.port.find("account", [Condition("name", "NORTHGATE foods ")], [])] == [wanted]


def test_conditions_are_joined_and_compare_by_type(bench: Bench) -> None:
    account = Lookup("account", bench.account())
    early = bench.opportunity(estimatedclosedate=date(2026, 1, 1), estimatedvalue=Decimal(10), customerid=account)
    late = bench.opportunity(
        estimatedclosedate=date(2026, 6, 1), estimatedvalue=Decimal("20.5"), cosell_syncwithpartnercenter=True
    )

    def found(*where: Condition) -> set[str]:
        return {row.id for row in bench.port.find("opportunity", where, ["name"])}

    assert found() == {early, late}
    assert found(Condition("estimatedclosedate", date(2026, 1, 1), "gt")) == {late}
    assert found(Condition("estimatedvalue", Decimal("20.5"))) == {late}
    assert found(Condition("estimatedvalue", 20, "le")) == {early}
    assert found(Condition("cosell_syncwithpartnercenter", True)) == {late}
    assert found(Condition("customerid", account)) == found(Condition("customerid", account.id)) == {early}
    assert found(Condition("customerid", None)) == {late}
    assert found(Condition("customerid", None, "ne")) == {early}
    assert found(Condition("opportunityid", early, "ne")) == {late}
    assert found(Condition("statecode", 0), Condition("estimatedvalue", 15, "lt")) == {early}
    assert found(Condition("modifiedon", datetime.now(UTC) + timedelta(days=9999), "ge")) == set()
    assert found(Condition("modifiedon", datetime(2020, 1, 1, tzinfo=UTC), "ge")) == {early, late}


def test_rows_are_ordered_and_limited(bench: Bench) -> None:
    for value in (3, 1, 2):
        bench.opportunity(estimatedvalue=Decimal(value))
    rows = bench.port.find("opportunity", [], ["estimatedvalue"], order_by="estimatedvalue desc", limit=2)
    assert [row.values["estimatedvalue"] for row in rows] == [3, 2]
    rows = bench.port.find("opportunity", [], ["estimatedvalue"], order_by="estimatedvalue")
    assert [row.values["estimatedvalue"] for row in rows] == [1, 2, 3]


# deleting -------------------------------------------------------------------------------------------------------------
def test_deleting_takes_the_children_along_and_happens_once(bench: Bench) -> None:
    opportunity = bench.opportunity()
    solution = bench.solution(opportunity)
    bench.port.delete("opportunity", opportunity)
    with pytest.raises(NotFound):
        bench.port.get("cosell_microsoftsolution", solution, ["cosell_name"])
    with pytest.raises(NotFound):
        bench.port.delete("opportunity", opportunity)


def test_deleting_a_customer_leaves_the_deal(bench: Bench) -> None:
    account = bench.account()
    opportunity = bench.opportunity(parentaccountid=Lookup("account", account))
    bench.port.delete("account", account)
    assert bench.port.get("opportunity", opportunity, ["parentaccountid"]).values == {"parentaccountid": None}


# closing --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("won", "status", "state"), [(True, 3, 1), (False, 5, 2)], ids=["won", "lost"])
def test_closing_leaves_an_activity_and_the_final_state(bench: Bench, won: bool, status: int, state: int) -> None:
    opportunity = bench.opportunity(estimatedvalue=Decimal(100))
    activity = {
        "subject": "Closed with Partner Center",
        "description": "Reported by Partner Center",
        "actualend": datetime(2026, 9, 30, tzinfo=UTC),
        "actualrevenue": Decimal("95.5"),
    }
    bench.port.close_opportunity(opportunity, won=won, status=status, activity=activity)
    columns = ["statecode", "statuscode", "actualvalue", "actualclosedate"]
    assert bench.port.get("opportunity", opportunity, columns).values == {
        "statecode": state,
        "statuscode": status,
        "actualvalue": Decimal("95.5"),
        "actualclosedate": date(2026, 9, 30),
    }
    where = [Condition("opportunityid", Lookup("opportunity", opportunity))]
    (closing,) = bench.port.find("opportunityclose", where, list(activity))
    assert closing.values == activity


def test_what_is_closed_or_has_another_reason_is_not_closed_again(bench: Bench) -> None:
    opportunity = bench.opportunity()
    with pytest.raises(DataProblem):
        bench.port.close_opportunity(opportunity, won=True, status=4, activity={"subject": "Lost?"})
    bench.port.close_opportunity(opportunity, won=False, status=4, activity={"subject": "Lost"})
    with pytest.raises(DataProblem):
        bench.port.close_opportunity(opportunity, won=True, status=3, activity={"subject": "Won"})


def test_the_state_is_closed_by_the_action_only_and_reopened_by_an_update(bench: Bench) -> None:
    opportunity = bench.opportunity()
    with pytest.raises(DataProblem):
        bench.port.update("opportunity", opportunity, {"statecode": 1, "statuscode": 3}, None)
    bench.port.close_opportunity(opportunity, won=True, status=3, activity={"subject": "Won"})
    bench.port.update("opportunity", opportunity, {"statecode": 0, "statuscode": 1}, None)
    row = bench.port.get("opportunity", opportunity, ["statecode", "statuscode"])
    assert row.values == {"statecode": 0, "statuscode": 1}


def test_a_status_reason_of_the_same_state_can_be_written(bench: Bench) -> None:
    opportunity = bench.opportunity(statuscode=2)
    assert bench.port.get("opportunity", opportunity, ["statuscode"]).values == {"statuscode": 2}
    bench.port.update("opportunity", opportunity, {"statuscode": 1}, None)
    assert bench.port.get("opportunity", opportunity, ["statecode", "statuscode"]).values["statuscode"] == 1


def test_a_lead_becomes_an_opportunity(bench: Bench) -> None:
    lead = bench.port.create("lead", {"subject": "Cold chain", "lastname": "Lind", "companyname": "Contoso"})
    customer, money = Lookup("account", bench.account()), currency(bench)
    opportunity = bench.port.qualify_lead(lead, currency=money, customer=customer)
    columns = ["name", "customerid", "transactioncurrencyid", "originatingleadid", "statecode"]
    assert bench.port.get("opportunity", opportunity, columns).values == {
        "name": "Cold chain",
        "customerid": customer,
        "transactioncurrencyid": money,
        "originatingleadid": Lookup("lead", lead),
        "statecode": 0,
    }
    assert bench.port.get("lead", lead, ["statecode", "statuscode"]).values == {"statecode": 1, "statuscode": 3}
    with pytest.raises(DataProblem):
        bench.port.qualify_lead(lead, currency=None, customer=None)


def test_a_note_hangs_on_the_opportunity(bench: Bench) -> None:
    opportunity = Lookup("opportunity", bench.opportunity())
    bench.port.create("annotation", {"subject": "Audit", "notetext": "line\nline", "objectid": opportunity})
    (note,) = bench.port.find("annotation", [Condition("objectid", opportunity)], ["notetext", "objectid"])
    assert note.values == {"notetext": "line\nline", "objectid": opportunity}


# refusals -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name": "x" * 301}, "DV_LIMIT"),
        ({"name": "🏢" * 151}, "DV_LIMIT"),
        ({"estimatedvalue": Decimal("1e13")}, "DV_LIMIT"),
        ({"closeprobability": 101}, "DV_LIMIT"),
        ({"cosell_howcanmicrosofthelp": 7}, "DV_CHOICE"),
    ],
    ids=["too long", "too long in UTF-16", "too much", "out of range", "no such choice"],
)
def test_a_value_beyond_its_column_is_a_data_problem(bench: Bench, values: dict[str, Any], code: str) -> None:
    with pytest.raises(DataProblem) as caught:
        bench.opportunity(**values)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "values",
    [{"cosell_nosuchcolumn": "x"}, {"estimatedvalue": "12"}, {"name": 12}, {"estimatedclosedate": "soon"}],
    ids=["no such column", "text for money", "number for text", "text for a date"],
)
def test_a_wrong_column_or_type_is_the_operators_business(bench: Bench, values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        bench.opportunity(**values)
    assert caught.value.code == "DV_COLUMN"


def test_an_unknown_column_cannot_be_read(bench: Bench) -> None:
    opportunity = bench.opportunity()
    with pytest.raises(ConfigurationError):
        bench.port.get("opportunity", opportunity, ["cosell_nosuchcolumn"])
    with pytest.raises(ConfigurationError):
        bench.port.find("opportunity", [Condition("cosell_nosuchcolumn", 1)], ["name"])


def test_a_lookup_needs_its_row(bench: Bench) -> None:
    with pytest.raises(NotFound):
        bench.opportunity(parentaccountid=Lookup("account", str(uuid.uuid4())))


# the environment ------------------------------------------------------------------------------------------------------
def test_who_writes_is_known(bench: Bench) -> None:
    assert bench.port.user_id() == APP_USER


def test_metadata_tell_kinds_lengths_and_choices(bench: Bench) -> None:
    columns = bench.port.columns("opportunity")
    assert (columns["name"].kind, columns["name"].max_length) == ("String", 300)
    assert (columns["description"].kind, columns["description"].max_length) == ("Memo", 2000)
    assert columns["estimatedvalue"].kind == "Money"
    assert columns["estimatedclosedate"].kind == "DateTime"
    assert columns["customerid"].kind == "Customer"
    assert columns["cosell_referralvisibility"].options[100000001] == "Visible to Microsoft sellers"
    assert columns["statuscode"].options == {1: "In Progress", 2: "On Hold", 3: "Won", 4: "Canceled", 5: "Out-Sold"}
    assert "cosell_nosuchcolumn" not in columns


def test_environment_variables_fall_back_to_their_defaults(bench: Bench) -> None:
    variables = bench.port.environment_variables("cosell_")
    assert variables["cosell_displaycheckmark"] == "yes"
    assert variables["cosell_countrycolumn"] == "address1_country"
