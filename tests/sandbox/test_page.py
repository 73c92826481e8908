"""The live page in headless Chromium over a whole running sandbox: what a person clicks arrives on the other side.

One sandbox serves all tests of this file; every test makes its own deals, told apart by their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect

from sandbox.clients import connection
from sandbox.page import screenshot
from sandbox.supervisor import Sandbox
from tests.sandbox.known_keys import create_layout

pytestmark = [pytest.mark.sandbox, pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("page")]
PARTNER_CENTER, DYNAMICS_365 = "partner-center", "dynamics-365"
ARRIVES_MS = 20_000


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(create_layout(tmp_path_factory.mktemp("page"))) as sandbox:
        sandbox.register_webhook()
        yield sandbox


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with screenshot.open_browser() as opened:
            yield opened
    except FileNotFoundError as missing:
        pytest.fail(str(missing))


@dataclass(frozen=True)
class Tab:
    """The page, opened once: a new tab costs two seconds of processor time, loading anew a quarter of one."""

    page: Page
    errors: list[str]
    """What its scripts failed at, and what they asked in a dialog of the browser's."""


@pytest.fixture(scope="module")
def tab(live: Sandbox, browser: Browser) -> Tab:
    opened = Tab(browser.new_page(), [])
    opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.page.on("dialog", lambda dialog: opened.errors.append(f"dialog: {dialog.message}"))
    opened.page.goto(live.layout.page_url)
    expect(opened.page.locator("#queues tr")).to_have_count(7)
    return opened


@pytest.fixture
def page(tab: Tab) -> Iterator[Page]:
    """The page at 1280 px without an open dialog; a script error on it fails the test."""
    tab.page.set_viewport_size({"width": 1280, "height": 900})
    tab.page.emulate_media(color_scheme="light", reduced_motion="reduce")  # each frame of a motion is drawn
    yield tab.page
    tab.page.evaluate("document.querySelector('dialog[open]')?.close()")
    assert tab.errors == []


def arrives(shown: Locator, text: str | re.Pattern[str]) -> None:
    """Wait for what the connector brings. `expect` alone would describe the whole page after each look that fails."""
    with suppress(TimeoutError):  # then `expect` says what is there instead
        shown.filter(has_text=exactly(text) if isinstance(text, str) else text).wait_for(timeout=ARRIVES_MS)
    expect(shown).to_have_text(text)


def exactly(text: str) -> re.Pattern[str]:
    return re.compile(f"^{re.escape(text)}$")


def open_dialog(page: Page) -> Locator:
    return page.locator("dialog[open]")


def card(page: Page, side: str, name: str) -> Locator:
    return page.locator(f"#{side} .card", has=page.locator("h3", has_text=exactly(name)))


def field(page: Page, side: str, name: str, column: str) -> Locator:
    return card(page, side, name).locator(f"dd[data-field={column}]")


def state(page: Page, side: str, name: str) -> Locator:
    return card(page, side, name).locator(".state")


def create(page: Page, side: str, name: str, *, microsoft: bool, value: str = "50000") -> None:
    page.locator(f"#{side}").get_by_role("button", name=re.compile("^New")).click()
    dialog = open_dialog(page)
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Customer").fill(f"{name} customer")
    dialog.get_by_label("Value").fill(value)
    dialog.get_by_label("Notes").fill("Pilot first.")
    dialog.get_by_role("checkbox").set_checked(microsoft)
    dialog.get_by_role("button", name="Create").click()
    expect(dialog).to_be_hidden()


def change(page: Page, side: str, name: str, **values: str) -> None:
    card(page, side, name).get_by_role("button", name="Change").click()
    dialog = open_dialog(page)
    for label, value in values.items():
        dialog.get_by_label(label.replace("_", " ")).fill(value)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()


# -- the two stories -------------------------------------------------------------------------------------------------
def test_a_seller_shares_an_opportunity_with_microsoft(page: Page) -> None:
    name = "Warehouse analytics"
    create(page, DYNAMICS_365, name, microsoft=True)
    arrives(field(page, PARTNER_CENTER, name, "microsoft"), "New / Pending")
    expect(field(page, PARTNER_CENTER, name, "value")).to_have_text("50,000 USD")

    card(page, PARTNER_CENTER, name).get_by_role("button", name="Microsoft accepts").click()
    arrives(field(page, DYNAMICS_365, name, "microsoft_crm_id"), re.compile("^7-"))
    expect(card(page, PARTNER_CENTER, name).get_by_role("button", name="Microsoft accepts")).to_have_count(0)

    change(page, DYNAMICS_365, name, Value="65000", Closing_date="2027-09-30")
    arrives(field(page, PARTNER_CENTER, name, "value"), "65,000 USD")
    expect(field(page, PARTNER_CENTER, name, "value")).to_have_class(re.compile("changed"))
    expect(field(page, PARTNER_CENTER, name, "closing_date")).to_have_text("30 Sept 2027")
    expect(card(page, PARTNER_CENTER, name).locator(".agreement")).to_have_text("✔ The same in Dynamics 365")
    expect(page.locator("#audit")).to_contain_text(name)


def test_microsoft_sends_a_deal_and_the_seller_accepts(page: Page) -> None:
    name = "Cold-chain rollout"
    create(page, PARTNER_CENTER, name, microsoft=True, value="80000")
    arrives(state(page, DYNAMICS_365, name), "Open / On Hold")

    card(page, DYNAMICS_365, name).get_by_role("button", name="Accept").click()
    arrives(state(page, PARTNER_CENTER, name), "Active / Accepted")

    change(page, PARTNER_CENTER, name, Value="92500.50", Notes="Three sites.")
    arrives(field(page, DYNAMICS_365, name, "value"), "92,500.50 USD")
    expect(field(page, DYNAMICS_365, name, "notes")).to_have_text("Three sites.")
    expect(card(page, DYNAMICS_365, name).locator(".agreement")).to_have_text("✔ The same in Partner Center")


def test_both_can_decline(page: Page) -> None:
    create(page, PARTNER_CENTER, "Unwanted deal", microsoft=True)
    card(page, DYNAMICS_365, "Unwanted deal").get_by_role("button", name="Decline").click(timeout=ARRIVES_MS)
    arrives(state(page, PARTNER_CENTER, "Unwanted deal"), "Closed / Declined")

    create(page, DYNAMICS_365, "Help refused", microsoft=True)
    declines = card(page, PARTNER_CENTER, "Help refused").get_by_role("button", name="Microsoft declines")
    declines.click(timeout=ARRIVES_MS)
    arrives(field(page, DYNAMICS_365, "Help refused", "microsoft"), "Declined")
    expect(state(page, DYNAMICS_365, "Help refused")).to_have_text("Open / In Progress")


def test_a_deal_is_won_in_the_crm(page: Page) -> None:
    create(page, DYNAMICS_365, "Quick win", microsoft=False)
    arrives(state(page, PARTNER_CENTER, "Quick win"), "Active / Accepted")
    card(page, DYNAMICS_365, "Quick win").get_by_role("button", name="Change").click()
    open_dialog(page).get_by_label("Status").select_option("Won")
    open_dialog(page).get_by_role("button", name="Save").click()
    arrives(state(page, PARTNER_CENTER, "Quick win"), "Closed / Won")
    expect(card(page, PARTNER_CENTER, "Quick win").get_by_role("button")).to_have_count(0)


# -- reachable and readable for everyone -----------------------------------------------------------------------------
def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus."""
    element = target.element_handle()  # found once: the page keeps its elements
    for _ in range(60):
        if page.evaluate("element => element === document.activeElement", element):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{target} cannot be reached with the Tab key")


def test_everything_works_with_the_keyboard_alone(page: Page) -> None:
    opener = page.get_by_role("button", name="New opportunity")
    tab_to(page, opener)
    page.keyboard.press("Enter")
    dialog = open_dialog(page)
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()

    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    for label, text in {"Name": "By keyboard", "Customer": "Keys Ltd", "Value": "1234"}.items():
        tab_to(page, dialog.get_by_label(label))
        page.keyboard.type(text)
    tab_to(page, dialog.get_by_role("checkbox"))
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    accepts = card(page, PARTNER_CENTER, "By keyboard").get_by_role("button", name="Microsoft accepts")
    accepts.wait_for(timeout=ARRIVES_MS)
    expect(page.get_by_role("heading", name="By keyboard", exact=True)).to_have_count(2)
    tab_to(page, accepts)
    page.keyboard.press("Enter")
    arrives(field(page, DYNAMICS_365, "By keyboard", "microsoft"), "Accepted")
    expect(card(page, PARTNER_CENTER, "By keyboard").get_by_role("button", name="Change")).to_be_focused()

    page.keyboard.press("Space")
    tab_to(page, dialog.get_by_label("Value"))
    page.keyboard.press("Control+A")
    page.keyboard.type("4321")
    page.keyboard.press("Enter")
    arrives(field(page, DYNAMICS_365, "By keyboard", "value"), "4,321 USD")
    outline = "element => getComputedStyle(element).outlineStyle"
    assert page.locator(":focus").evaluate(outline) == "solid"


def test_a_phone_needs_no_horizontal_scrolling(page: Page) -> None:
    name = f"Unbreakable{'x' * 60}"
    create(page, DYNAMICS_365, name, microsoft=False)
    card(page, PARTNER_CENTER, name).wait_for(timeout=ARRIVES_MS)
    page.set_viewport_size({"width": 390, "height": 844})
    width = "document.documentElement.scrollWidth"
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(width) == 390
        left = card(page, PARTNER_CENTER, name).bounding_box()
        right = card(page, DYNAMICS_365, name).bounding_box()
        assert left is not None
        assert right is not None
        assert left["x"] == right["x"]
        assert left["y"] < right["y"]
        page.get_by_role("button", name="New deal").click()
        assert page.evaluate(width) == 390
        page.keyboard.press("Escape")


def test_text_from_data_stays_text(page: Page) -> None:
    name = "<img src=x onerror=alert(1)><b>bold</b>"
    create(page, PARTNER_CENTER, name, microsoft=False)
    arrives(card(page, DYNAMICS_365, name).locator("h3"), name)
    expect(page.locator("img, .card b")).to_have_count(0)


# -- when something is broken ----------------------------------------------------------------------------------------
def test_events_held_back_arrive_when_the_switch_is_turned_off(page: Page, live: Sandbox) -> None:
    name = "Kept back"
    create(page, DYNAMICS_365, name, microsoft=False)
    arrives(state(page, PARTNER_CENTER, name), "Active / Accepted")
    expect(card(page, PARTNER_CENTER, name).locator(".agreement")).to_have_text("✔ The same in Dynamics 365")
    live.wait_idle(scheduled=False)
    switch = page.get_by_role("switch", name="Partner Center sends no events")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    change(page, PARTNER_CENTER, name, Value="77777")
    expect(card(page, PARTNER_CENTER, name).locator(".agreement")).to_contain_text("Differs from Dynamics 365")
    expect(page.locator("#verdict")).to_contain_text("differ")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    arrives(field(page, DYNAMICS_365, name, "value"), "77,777 USD")


def test_a_switch_is_a_fault_in_the_simulator(page: Page, live: Sandbox) -> None:
    switch = page.get_by_role("switch", name="Partner Center is down")
    address = f"{live.layout.partner_center_url}/_sim/faults"
    with connection(live.layout) as http:
        switch.click()
        expect(switch).to_have_attribute("aria-checked", "true")
        page.reload()
        expect(switch).to_have_attribute("aria-checked", "true")
        [fault] = http.get(address, timeout=5).json()
        assert (fault["kind"], fault["status"], fault["path"]) == ("status", 503, "/v1.0")
        switch.click()
        expect(switch).to_have_attribute("aria-checked", "false")
        assert http.get(address, timeout=5).json() == []


def test_a_refusal_is_a_sentence_in_the_dialog(page: Page) -> None:
    page.get_by_role("button", name="New deal").click()
    dialog = open_dialog(page)
    dialog.get_by_label("Name").fill("Too much")
    dialog.get_by_label("Customer").fill("Fabrikam")
    page.evaluate("document.querySelector('#create form').noValidate = true")  # the browser would refuse it itself
    dialog.get_by_label("Value").fill("-5")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("alert")).to_have_text("Please correct the deal value: Input should be greater than 0.")
    expect(dialog).to_be_visible()


def test_a_killed_side_is_named_and_its_deals_stay(page: Page, live: Sandbox) -> None:
    create(page, PARTNER_CENTER, "Survivor", microsoft=False)
    card(page, DYNAMICS_365, "Survivor").wait_for(timeout=ARRIVES_MS)
    live.kill("dataverse")
    expect(page.locator("#trouble")).to_contain_text("does not answer", timeout=ARRIVES_MS)
    expect(card(page, DYNAMICS_365, "Survivor")).to_be_visible()
    live.restart("dataverse")
    expect(page.locator("#trouble")).to_be_hidden(timeout=ARRIVES_MS)
    expect(card(page, DYNAMICS_365, "Survivor")).to_be_visible()


def test_a_stopped_sandbox_is_said_in_a_sentence(page: Page, live: Sandbox) -> None:
    live.kill("page")
    expect(page.locator("#trouble")).to_have_text(
        "The sandbox does not answer. Is it still running in the terminal?", timeout=ARRIVES_MS
    )
    live.restart("page")
    expect(page.locator("#trouble")).to_be_hidden(timeout=ARRIVES_MS)


def test_without_chromium_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="apt-get install chromium"), screenshot.open_browser():
        pytest.fail("a browser was found on an empty path")
