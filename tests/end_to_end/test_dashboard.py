"""The dashboard, started by `revops dashboard` on a built warehouse of all models and looked at in a real browser."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import psutil
import pytest

from revops.dashboard import sections
from revops.roles import INVESTIGATOR
from tests.conftest import RunningServer
from tests.end_to_end.browser import Served, looking, served
from tests.oracle import built
from tests.oracle.built import Built
from tests.revops.processes import ask

# What else can be chosen on a page.
CHOICES = {
    "revenue": ("Card type", "All", "Margin", "Unusual days"),
    "geography": ("Fraud rate",),
    "clients": ("Year",),
    "declines": ("31 days",),
    "fraud": ("By value", "All", "Hours", "Ages of cards", "Runs"),
    "merchants": ("By risk", "Network monitors", "Points of compromise"),
    "alerts": ("Newest",),
    "rules": ("Cards a day", "Overlap", "Capacity"),
}
FAULTS = "[data-testid=stException], [data-testid=stAlertContentError]"
NO_CHART_IS_CUT = """() => ![...document.querySelectorAll("[data-testid=stVegaLiteChart]")]
    .some(chart => chart.scrollWidth > chart.clientWidth + 1)"""
SCROLLED = "document.querySelector('[data-testid=stMain]').scrollTop"
KEY = "33" * 32
CLICKS = 5


@pytest.fixture(scope="module")
def warehouse_of_all_models(server: RunningServer) -> Built:
    return built.generated(server)


@pytest.fixture(scope="module")
def dashboard(warehouse_of_all_models: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with warehouse_of_all_models.as_revops():
        environ = {**os.environ, "REVOPS_PAN_KEY": KEY}
    with served("dashboard", environ, tmp_path_factory.mktemp("dashboard") / "log") as running:
        yield running


def _wait(page: Any) -> None:
    """Until the page has been made to its end."""
    page.wait_for_timeout(500)  # the browser has told the server what was clicked
    page.get_by_text("Read from serving as revops_analyst, read only.").wait_for(timeout=60_000)
    page.locator("[data-test-script-state=notRunning]").wait_for(state="attached", timeout=60_000)


def _click(page: Any, test_id: str, x: float, y: float, to: str) -> None:
    """Clicks into the first table or chart, a canvas that has no elements to name, until its page is open.

    Args:
        page: the browser's.
        test_id: of the table or chart.
        x: pixels from its left side, or its middle where that is less than one.
        y: pixels from its top, or from its foot where below zero.
        to: the path of the page that the click leads to.
    """
    from playwright.sync_api import TimeoutError as NotYet

    for _ in range(CLICKS):  # what is drawn anew while it is clicked does not feel the click
        canvas = page.get_by_test_id(test_id).first
        canvas.evaluate("each => each.scrollIntoView({block: 'center'})")
        box = canvas.bounding_box()
        page.mouse.click(box["x"] + (x * box["width"] if x < 1 else x), box["y"] + (y if y > 0 else box["height"] + y))
        try:
            page.wait_for_url(lambda url: urlsplit(url).path == to, timeout=4000)
            break
        except NotYet:
            continue
    _wait(page)
    assert _address(page)[0] == to


def _click_cell(page: Any, x: int, to: str) -> None:
    """Clicks into the first row of the first table."""
    _click(page, "stDataFrame", x, 52, to)


def _address(page: Any) -> tuple[str, dict[str, str]]:
    """The page that is open, and what its address says."""
    parts = urlsplit(page.url)
    return parts.path, dict(parse_qsl(parts.query))


@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_opens_by_its_address_nothing_fails_nothing_is_cut_and_nothing_comes_from_outside(
    width: int, dashboard: Served, warehouse_of_all_models: Built, browser_path: str, tmp_path: Path
) -> None:
    alert = warehouse_of_all_models.rows("SELECT * FROM serving.fraud_alerts ORDER BY transacted_at DESC LIMIT 1")[0]
    numbers = {name: alert[f"{name}_id"] for name in ("card", "client", "merchant", "transaction")}
    outside: set[str] = set()

    def note(request: Any) -> None:
        if not request.url.startswith((dashboard.address, "data:", "blob:")):
            outside.add(request.url)

    with looking(browser_path, width, "dark" if width == 390 else "light") as page:
        page.on("request", note)
        for section in sections.ALL:
            page.goto(
                f"{dashboard.address}/{section.path}?id={numbers.get(section.path, '')}", wait_until="domcontentloaded"
            )
            _wait(page)
            assert page.get_by_text("Page not found").count() == 0, section.path
            assert _address(page)[0] == f"/{section.path}"
            assert page.locator(FAULTS).all_inner_texts() == [], section.path
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            if section.path == "yesterday":
                picture = page.locator("svg[aria-label='Net volume']")
                picture.locator("path").wait_for(timeout=30_000)
                said = picture.locator("title").all_text_contents()
                assert len(said) > 20
                assert all(re.fullmatch(r"\w{3} [0-9-]{10}: -?\$[0-9,]+", each) for each in said), said
            page.wait_for_function(NO_CHART_IS_CUT, timeout=30_000)  # one that is being drawn may be for a moment
            page.screenshot(path=str(tmp_path / f"{section.path}.png"))
            for choice in CHOICES.get(section.path, ()):
                page.get_by_test_id("stBaseButton-segmented_control").filter(has_text=choice).first.click()
                page.get_by_test_id("stBaseButton-segmented_controlActive").filter(has_text=choice).first.wait_for()
                _wait(page)
                assert page.locator(FAULTS).all_inner_texts() == [], choice
                assert page.evaluate("document.documentElement.scrollWidth") <= width, choice
                page.wait_for_function(NO_CHART_IS_CUT, timeout=30_000)
        dark = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme")
        assert dark == ("dark" if width == 390 else "light")
        assert urlsplit(warehouse_of_all_models.url).password not in page.content()
    assert outside == set()


def test_what_is_chosen_stays_from_page_to_page_and_opens_elsewhere(dashboard: Served, browser_path: str) -> None:
    with looking(browser_path) as page:
        page.goto(dashboard.address, wait_until="domcontentloaded")
        _wait(page)
        assert _address(page)[0] == "/yesterday"
        page.get_by_role("button", name="Filters").click()
        page.get_by_role("combobox", name="Channel").click()
        page.get_by_role("option", name="online").click()
        _wait(page)
        page.get_by_role("heading").first.click()
        page.get_by_text("Business", exact=True).first.click()
        page.get_by_role("link", name="Revenue").click()
        _wait(page)
        page.get_by_test_id("stBaseButton-segmented_control").filter(has_text="3 years").click()
        _wait(page)
        page.get_by_text("Business", exact=True).first.click()
        page.get_by_role("link", name="Declines").click()
        _wait(page)
        path, said = _address(page)
        assert path == "/declines"
        assert said == {"channel": "online", "first": "2016-11-01", "last": "2019-10-31"}
        link, words = page.url, page.get_by_test_id("stCaptionContainer").first.inner_text()
        assert "2016-11-01 to 2019-10-31, channel online" in words
    with looking(browser_path) as elsewhere:
        elsewhere.goto(link, wait_until="domcontentloaded")
        _wait(elsewhere)
        assert elsewhere.get_by_test_id("stCaptionContainer").first.inner_text() == words


def test_the_key_that_closes_the_box_of_filters_leaves_the_days_that_were_typed(
    dashboard: Served, browser_path: str
) -> None:
    with looking(browser_path) as page:
        page.goto(f"{dashboard.address}/declines", wait_until="domcontentloaded")
        _wait(page)
        page.get_by_role("button", name="Filters").click()
        page.get_by_test_id("stDateInput").first.locator("input").fill("2019-07-01")
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "first=2019-07-01" in url)
        box = page.get_by_test_id("stPopoverBody")
        for _ in range(3):  # the calendar of the field closes first
            page.keyboard.press("Escape")
            _wait(page)
        assert box.count() == 0
        assert _address(page) == ("/declines", {"first": "2019-07-01"})


def test_a_month_leads_to_its_categories_to_a_merchant_and_to_a_transaction(
    dashboard: Served, warehouse_of_all_models: Built, browser_path: str
) -> None:
    with looking(browser_path) as page:
        page.goto(f"{dashboard.address}/revenue?first=2018-11-01&last=2019-10-31", wait_until="domcontentloaded")
        _wait(page)
        _click(page, "stVegaLiteChart", 0.5, -60, "/categories")
        _, said = _address(page)
        month = said["first"]
        assert said["last"][:7] == month[:7]
        _click_cell(page, 200, "/merchants")
        _, said = _address(page)
        assert said["first"] == month
        _click_cell(page, 40, "/merchant")
        _, merchant = _address(page)
        assert (merchant["first"], merchant["category"]) == (month, said["category"])
        _click_cell(page, 60, "/transaction")
        _, transaction = _address(page)
        (row,) = warehouse_of_all_models.rows(
            "SELECT mcc, merchant_id, date_trunc('month', transacted_on)::date AS month FROM serving.enriched_transactions "
            f"WHERE transaction_id = {int(transaction['id'])}"
        )
        assert {name: str(value) for name, value in row.items()} == {
            "mcc": said["category"],
            "merchant_id": merchant["id"],
            "month": month,
        }


def test_back_and_forward_show_what_the_address_says(
    dashboard: Served, warehouse_of_all_models: Built, browser_path: str
) -> None:
    alert = warehouse_of_all_models.rows("SELECT * FROM serving.fraud_alerts ORDER BY transacted_at DESC LIMIT 1")[0]
    transaction = f"Transaction {alert['transaction_id']}"
    with looking(browser_path) as page:
        page.goto(f"{dashboard.address}/overview", wait_until="domcontentloaded")
        _wait(page)
        page.goto(f"{dashboard.address}/transaction?id={alert['transaction_id']}", wait_until="domcontentloaded")
        _wait(page)
        page.get_by_role("link", name=f"Card {alert['card_id']}").click()
        page.get_by_role("heading", name=f"Card {alert['card_id']}").wait_for()
        _wait(page)
        page.go_back()
        page.get_by_role("heading", name=transaction).wait_for()
        _wait(page)
        page.go_forward()
        page.get_by_role("heading", name=f"Card {alert['card_id']}").wait_for()
        _wait(page)
        assert _address(page)[1]["id"] == str(alert["card_id"])
        page.get_by_placeholder("Find a card").fill(f"client {alert['client_id']}")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name=f"Client {alert['client_id']}").wait_for()
        _wait(page)
        for heading in (f"Card {alert['card_id']}", transaction):
            page.go_back()
            page.get_by_role("heading", name=heading).wait_for()
            _wait(page)


def test_a_page_that_is_gone_back_to_has_the_filters_of_its_address(dashboard: Served, browser_path: str) -> None:
    with looking(browser_path) as page:
        page.goto(f"{dashboard.address}/revenue", wait_until="domcontentloaded")
        _wait(page)
        title = page.get_by_role("heading", name="Revenue").first
        title.wait_for()
        _click(page, "stVegaLiteChart", 0.5, -60, "/categories")
        assert "first" in _address(page)[1]
        page.go_back()
        page.wait_for_url(lambda url: urlsplit(url).path == "/revenue")
        title.wait_for()
        _wait(page)
        assert _address(page) == ("/revenue", {})
        assert page.get_by_text("Chosen: ").count() == 0


def test_a_page_to_which_a_click_leads_begins_at_its_top(dashboard: Served, browser_path: str) -> None:
    with looking(browser_path, 700) as page:
        page.goto(f"{dashboard.address}/clients", wait_until="domcontentloaded")
        _wait(page)
        list_of_clients = page.get_by_test_id("stDataFrame").last
        list_of_clients.evaluate("each => each.scrollIntoView({block: 'center'})")
        page.wait_for_timeout(500)
        box = list_of_clients.bounding_box()
        assert page.evaluate(SCROLLED) > 300
        page.mouse.click(box["x"] + 40, box["y"] + 52)
        page.wait_for_url(lambda url: urlsplit(url).path == "/client")
        _wait(page)
        assert page.evaluate(SCROLLED) == 0


def test_the_place_of_a_list_shows_the_same_days_as_the_list(dashboard: Served, browser_path: str) -> None:
    with looking(browser_path) as page:
        page.goto(f"{dashboard.address}/geography", wait_until="domcontentloaded")
        _wait(page)
        days = page.get_by_role("heading", name="Geography, ").inner_text().removeprefix("Geography, ")
        _click_cell(page, 40, "/transactions")
        assert page.get_by_role("heading", name=f"Transactions, {days}").count() == 1
        page.get_by_test_id("stBaseButton-segmented_control").filter(has_text="Declined").click()
        page.wait_for_url(lambda url: "outcome=declined" in url)
        _wait(page)
        assert page.locator(FAULTS).all_inner_texts() == []
        page.reload()
        _wait(page)
        page.get_by_test_id("stBaseButton-segmented_controlActive").filter(has_text="Declined").wait_for()


def test_a_mark_of_a_chart_leads_to_its_transactions(dashboard: Served, browser_path: str) -> None:
    with looking(browser_path) as page:
        for path, mark, expected in (
            ("geography", "[aria-roledescription='text mark'][aria-label*='place: CA;']", {"place": "CA"}),
            ("geography", "[aria-roledescription=bar][aria-label*='place: Mexico;']", {"place": "Mexico"}),
            ("declines", "[aria-roledescription=point][aria-label*='Jul 2019'][aria-label*='part: online']",
             {"first": "2019-07-01", "last": "2019-07-31", "channel": "online", "outcome": "declined"}),
        ):  # fmt: skip
            page.goto(f"{dashboard.address}/{path}", wait_until="domcontentloaded")
            _wait(page)
            page.locator(mark).first.click(force=True)
            page.wait_for_url(lambda url: urlsplit(url).path == "/transactions")
            _wait(page)
            assert _address(page)[1].items() >= expected.items()
            assert page.locator(FAULTS).all_inner_texts() == []


def test_a_card_number_that_is_looked_for_is_put_into_no_address(dashboard: Served, browser_path: str) -> None:
    with looking(browser_path) as page:
        page.goto(f"{dashboard.address}/overview", wait_until="domcontentloaded")
        _wait(page)
        for number in ("4000 1234 1234 1234", "400012341234"):
            page.get_by_placeholder("Find a card").fill(number)
            page.keyboard.press("Enter")
            page.get_by_text("That may be a card number").wait_for()
            assert "4000" not in page.url
            page.reload()
            _wait(page)


def test_the_queue_leads_to_an_alert_and_search_to_a_card(
    dashboard: Served, warehouse_of_all_models: Built, browser_path: str
) -> None:
    highest = warehouse_of_all_models.rows(
        "SELECT transaction_id, card_id, reasons FROM serving.fraud_alerts "
        "WHERE transacted_on > (SELECT max(transacted_on) FROM serving.daily_revenue) - 365 AND action = 'review' "
        "ORDER BY score DESC, transacted_at DESC, transaction_id LIMIT 1"
    )[0]
    with looking(browser_path) as page:
        address = f"{dashboard.address}/alerts?first=2018-11-01&last=2019-10-31&action=review"
        page.goto(address, wait_until="domcontentloaded")
        _wait(page)
        _click_cell(page, 40, "/transaction")
        assert page.get_by_role("heading", name=f"Transaction {highest['transaction_id']}").count() == 1
        shown = [text.rpartition(" (")[0] for text in page.get_by_role("listitem").all_inner_texts()]
        assert shown == highest["reasons"].split("; ")
        page.get_by_placeholder("Find a card").fill(f"card {highest['card_id']}")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name=f"Card {highest['card_id']}").wait_for()
        assert _address(page)[0] == "/card"


@pytest.fixture
def investigator(warehouse_of_all_models: Built) -> Iterator[tuple[str, str]]:
    """The name and password of a login that may decide; what it decided is taken away again."""
    name, password = f"in_test_{secrets.token_hex(4)}", secrets.token_hex(8)
    ask(warehouse_of_all_models.url, f"CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE {INVESTIGATOR}")
    yield name, password
    ask(
        warehouse_of_all_models.url,
        "ALTER TABLE desk.decisions DISABLE TRIGGER USER",
        "DELETE FROM desk.decisions",
        "ALTER TABLE desk.decisions ENABLE TRIGGER USER",
        f"DROP ROLE {name}",
    )


def _sign_in(page: Any, name: str, password: str) -> None:
    page.get_by_role("button", name="Sign in to decide").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_who_has_signed_in_still_is_after_a_reload_in_that_tab_alone_and_no_more_after_signing_out(
    dashboard: Served, browser_path: str, investigator: tuple[str, str]
) -> None:
    name, password = investigator
    signed_in = f"Decisions are made as {name}."
    with looking(browser_path) as page:
        page.goto(f"{dashboard.address}/alerts", wait_until="domcontentloaded")
        _wait(page)
        _sign_in(page, name, password)
        page.get_by_text(signed_in).wait_for()
        _wait(page)
        for _ in range(2):
            page.reload()
            page.get_by_text(signed_in).wait_for()
            _wait(page)
        held = page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])")
        assert password not in held + page.url
        assert name not in held
        with page.context.expect_page() as opened:
            page.evaluate("window.open(document.location, '_blank', 'noopener')")
        other = opened.value
        _wait(other)
        assert other.get_by_text(signed_in).count() == 0
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in to decide").wait_for()
        _wait(page)
        page.reload()
        _wait(page)
        assert page.get_by_text(signed_in).count() == 0
        assert page.evaluate("sessionStorage.length") == 0
    assert password not in dashboard.log.read_text()


def test_an_alert_is_worked_from_the_queue_to_a_decision_in_the_back_test(
    dashboard: Served, warehouse_of_all_models: Built, browser_path: str, investigator: tuple[str, str]
) -> None:
    name, password = investigator
    with looking(browser_path) as page:
        page.goto(f"{dashboard.address}/alerts?first=2018-11-01&last=2019-10-31", wait_until="domcontentloaded")
        _wait(page)
        _sign_in(page, name, "another")
        page.get_by_text("Name or password is wrong").wait_for()
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_text(f"Decisions are made as {name}.").wait_for()
        _wait(page)
        page.get_by_role("heading").first.click()
        page.keyboard.press("n")
        page.wait_for_url(lambda url: urlsplit(url).path == "/transaction")
        _wait(page)
        _, first = _address(page)
        page.get_by_text("Not fraud", exact=True).click()
        page.get_by_placeholder("What the decision rests on").fill("n is only a letter here: the client knows of it")
        assert _address(page)[1] == first, "a letter that is typed leads nowhere"
        page.get_by_role("button", name="Save decision").click()
        page.get_by_text(f"not fraud, by {name}").wait_for()
        _wait(page)
        assert page.get_by_placeholder("What the decision rests on").input_value() == "", "it looks unsaved"
        page.get_by_role("heading").first.click()
        page.keyboard.press("n")
        page.wait_for_url(lambda url: f"id={first['id']}" not in url)
        _wait(page)
        assert password not in page.url + page.content()
        page.get_by_role("link", name="Back to the queue").click()
        page.wait_for_url(lambda url: urlsplit(url).path == "/alerts")
        _wait(page)
        assert _address(page)[1] == {"first": "2018-11-01", "last": "2019-10-31"}
        page.get_by_text("Fraud", exact=True).first.click()
        page.get_by_role("link", name="Rules").click()
        _wait(page)
        assert page.get_by_text("No alert was decided").count() == 0
    rows = warehouse_of_all_models.rows(
        "SELECT transaction_id, decided_by, decision, note, assigned_to FROM desk.decisions"
    )
    assert [dict(row) for row in rows] == [
        {
            "transaction_id": int(first["id"]),
            "decided_by": name,
            "decision": "not fraud",
            "note": "n is only a letter here: the client knows of it",
            "assigned_to": name,
        }
    ]
    (reviewed,) = warehouse_of_all_models.rows(
        "SELECT DISTINCT reviewed_alert_count, reviewed_fraud_count FROM serving.rule_reviews WHERE measured_kind = 'rule'"
    )
    assert (reviewed["reviewed_alert_count"], reviewed["reviewed_fraud_count"]) == (1, 0)
    assert password not in dashboard.log.read_text()


def test_neither_password_nor_key_is_on_a_command_line_or_printed(
    dashboard: Served, warehouse_of_all_models: Built
) -> None:
    password = urlsplit(warehouse_of_all_models.url).password
    assert password
    process = psutil.Process(dashboard.pid)
    for each in (process, *process.children(recursive=True)):
        assert password not in " ".join(each.cmdline())
        assert KEY not in each.environ().values()
    assert password not in dashboard.log.read_text()
