"""The dashboard without a browser: its statements, its connection, what it says when it cannot show figures, its command."""

from __future__ import annotations

import csv
import math
import pkgutil
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from xml.etree import ElementTree

import pandas as pd
import psycopg2
import pytest
import sqlglot
import streamlit as st
from psycopg2 import errors
from sqlglot import exp
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_md5

from foundation.errors import UsageError
from revops import demo_set
from revops.dashboard import charts, filters, history, investigator, labels, parts, reader, sections, serve
from revops.dashboard.filters import Days, Filters
from revops.dashboard.sections import (
    alerts,
    categories,
    clients,
    declines,
    fraud,
    geography,
    merchants,
    overview,
    revenue,
    yesterday,
)
from revops.roles import INVESTIGATOR
from tests.conftest import ROOT, RunningServer
from tests.oracle import built
from tests.revops.processes import ask, ask_all

# Every statement of the dashboard: the texts in capitals of its pages.
QUERIES = {
    f"{module.__name__.rpartition('.')[2]} {name}": text
    for module in (
        filters,
        *(import_module(f"{sections.__name__}.{each.name}") for each in pkgutil.iter_modules(sections.__path__)),
    )
    for name, text in vars(module).items()
    if name.isupper()
    and not name.startswith("_")
    and isinstance(text, str)
    and text.lstrip().startswith(("SELECT", "WITH"))
}
# Empty until a scorecard is trained: tests/revops/scoring/test_scores.py shows what they find.
OF_SCORECARDS = {"transaction SCORECARD"}
REVOPS = [sys.executable, "-m", "loaders"]


@pytest.fixture(scope="module")
def built_url(server: RunningServer) -> Iterator[str]:
    """A built warehouse of all models, with some decisions on alerts; only read, or put back as it was."""
    url = built.generated(server).url
    decided = (
        "SELECT count(desk.decide(transaction_id, CASE WHEN transaction_id % 3 = 0 THEN 'not fraud' ELSE 'fraud' END, 'seen',"
        " session_user)) FROM (SELECT transaction_id FROM serving.fraud_alerts WHERE transaction_id % 5 = 0) AS alerts"
    )
    assert ask(url, decided) > 20
    yield url
    ask(
        url,
        "ALTER TABLE desk.decisions DISABLE TRIGGER USER",
        "DELETE FROM desk.decisions",
        "ALTER TABLE desk.decisions ENABLE TRIGGER USER",
    )


def _page(url: str, monkeypatch: pytest.MonkeyPatch, path: str = "yesterday", **address: str) -> AppTest:
    """A page, made without a browser."""
    monkeypatch.delenv("REVOPS_EMBEDDED_URL", raising=False)
    monkeypatch.setenv("DB_CONNECTION_STRING", url)
    page = AppTest.from_file(str(serve.PAGE), default_timeout=60)
    page.query_params.update(address)
    page._page_hash = calc_md5(path.strip("/"))
    return page.run()


def _led(
    url: str, monkeypatch: pytest.MonkeyPatch, path: str, key: str, clicked: dict[str, Any], **address: str
) -> AppTest:
    """The page to which a click leads, on the mark of a chart that says these fields, or on the row of a table that has them.

    Args:
        url: of the warehouse.
        monkeypatch: undoes what is in place of Streamlit's charts and tables.
        path: of the page with the chart or table.
        key: what the key of the chart or table begins with.
        clicked: the fields.
        address: of the page.
    """
    chart, frame = st.altair_chart, st.dataframe

    def altair_chart(drawn: Any, **options: Any) -> Any:
        if not str(options.get("key")).startswith(key):
            return chart(drawn, **options)
        (param,) = (each for each in drawn.to_dict()["params"] if each["name"] == charts.CLICK)
        assert param["select"]["fields"] == list(clicked)
        return SimpleNamespace(selection={charts.CLICK: [clicked]})

    def dataframe(rows: pd.DataFrame, **options: Any) -> Any:
        if not str(options.get("key")).startswith(key):
            return frame(rows, **options)
        is_clicked = (rows[list(clicked)] == pd.Series(clicked)).all(axis=1)
        assert is_clicked.sum() == 1
        return SimpleNamespace(selection=SimpleNamespace(cells=[(int(is_clicked.argmax()), next(iter(clicked)))]))

    with monkeypatch.context() as patched:
        patched.setattr(st, "altair_chart", altair_chart)
        patched.setattr(st, "dataframe", dataframe)
        page = _page(url, monkeypatch, path, **address)
    assert not page.exception
    return page


def _values(url: str) -> dict[str, Any]:
    """What the statements take, of rows that are there."""
    ((transaction, card, client, merchant),) = ask_all(
        url,
        "SELECT alerts.transaction_id, alerts.card_id, alerts.client_id, alerts.merchant_id FROM serving.fraud_alerts AS alerts"
        " JOIN serving.fraud_runs AS runs ON runs.card_id = alerts.card_id"
        " JOIN serving.network_monitors AS monitors ON monitors.merchant_id = alerts.merchant_id LIMIT 1",
    )
    unchosen = dict.fromkeys(
        (
            "channel",
            "card_type",
            "brand",
            "mcc",
            "place",
            "rule",
            "action",
            "card",
            "least",
            "login",
            "outcome",
            "reason",
        )
    )
    ((decided, decided_card),) = ask_all(url, "SELECT transaction_id, card_id FROM serving.alert_decisions LIMIT 1")
    return {
        **unchosen, "since": date(2010, 1, 1), "until": date(2020, 1, 1), "day": date(2019, 10, 30), "days": 28,
        "by_day": False, "by_channel": True, "kind": "rule", "order": "score", "state": "open", "size": 50, "skipped": 0,
        "month": date(2015, 3, 1),
        "ids": {"card": card, "client": client, "merchant": merchant, "transaction": transaction, "search": transaction},
        "decided": {"id": decided, "card": decided_card},
    }  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_query_finds_something_as_the_analyst(name: str, built_url: str) -> None:
    values = _values(built_url)
    page = name.partition(" ")[0]
    values["id"] = values.pop("ids").get(page)
    if page == "clients":
        values["kind"] = "month"
    decided = values.pop("decided")
    if name == "transaction DECIDED":
        values |= decided
    if name == "merchant COMPROMISE":
        values["id"] = ask_all(built_url, "SELECT MIN(merchant_id) FROM serving.compromise_points")[0][0]
    with reader.opened(built_url) as opened:
        found = opened.rows(QUERIES[name], values)
        assert opened.reads_as == "revops_analyst"
    assert found.empty == (name in OF_SCORECARDS)
    assert found.empty or not found.isna().all(axis=None)


@pytest.mark.unit
@pytest.mark.parametrize("name", QUERIES)
def test_query_reads_the_analysts_schema_only(name: str) -> None:
    assert {schema for schema, _ in _tables(QUERIES[name])} == {"serving"}


@pytest.mark.unit
def test_every_relation_of_serving_is_shown_on_a_page() -> None:
    """But for the star, which BI tools read (tests/revops/test_bi.py)."""
    models = {path.stem: path.read_text() for path in (ROOT / "models" / "serving").glob("*.sql")}
    star = {name for name, text in models.items() if re.search(r"^  tags \(.*\bstar\b.*\)", text, re.MULTILINE)}
    shown = {table for text in QUERIES.values() for _, table in _tables(text)}
    assert set(models) - star - shown == set()
    assert "fct_transaction" in star


@pytest.mark.unit
def test_every_query_is_used_by_its_page() -> None:
    unused = []
    for name in QUERIES:
        page, constant = name.split(" ")
        folder = Path(filters.__file__).parent
        path = folder / "filters.py" if page == "filters" else folder / "sections" / f"{page}.py"
        if len(re.findall(rf"\b{constant}\b", path.read_text(encoding="utf-8"))) < 2:
            unused.append(name)
    assert unused == []


@pytest.mark.parametrize(
    ("report", "chosen"),
    [
        (revenue.BY_PERIOD, revenue.BY_PERIOD_CHOSEN),
        (categories.BY_MONTH, categories.CHOSEN),
        (geography.BY_MONTH, geography.CHOSEN),
        (declines.RATES_BY_MONTH, declines.RATES_CHOSEN),
        (declines.REASONS_BY_MONTH, declines.REASONS_CHOSEN),
        (fraud.RATES_BY_MONTH, fraud.RATES_CHOSEN),
    ],
)
def test_what_is_summed_from_transactions_is_what_the_report_says(report: str, chosen: str, built_url: str) -> None:
    values = _values(built_url)
    with reader.opened(built_url) as opened:
        expected, found = opened.rows(report, values), opened.rows(chosen, values)
    # Intervals are of the report alone; a reason that nothing was declined for is no row of the sum.
    columns = [
        name for name in expected if not name.endswith(("_low_bp", "_high_bp")) and name != "decline_rate_percent"
    ]
    if "decline_reason" in expected:
        expected = expected[expected.declined_count > 0]
    keys = [name for name in columns if name in ("period", "part", "mcc", "place", "decline_reason")]
    first, second = (frame[columns].fillna(0).sort_values(keys).reset_index(drop=True) for frame in (expected, found))
    pd.testing.assert_frame_equal(first, second, check_dtype=False, atol=0.01)


@pytest.mark.parametrize(
    ("chosen", "condition"),
    [
        (Filters(channel="online"), "channel = 'online'"),
        (Filters(card_type="Credit"), "card_type = 'Credit'"),
        (Filters(brand="Visa"), "card_brand = 'Visa'"),
        (Filters(category=5411), "mcc = 5411"),
        (Filters(place="CA"), "merchant_state = 'CA'"),
        (Filters(place="NO PLACE"), "merchant_state IS NULL"),
    ],
)
def test_each_filter_leaves_its_rows_alone(chosen: Filters, condition: str, built_url: str) -> None:
    with reader.opened(built_url) as opened:
        shown = filters.days(opened, chosen, timedelta(days=3650))
        assert shown
        found = opened.rows(
            import_module("revops.dashboard.sections.transactions").COUNTED,
            filters.values(chosen, shown) | {"outcome": None, "reason": None},
        )
    ((expected,),) = ask_all(built_url, f"SELECT count(*) FROM serving.enriched_transactions WHERE {condition}")
    assert found.iloc[0, 0] == expected > 0


def _queue(url: str, statement: str = "ALL", **asked: Any) -> list[int]:
    with reader.opened(url) as opened:
        values = _values(url) | {"id": None} | asked
        return [int(number) for number in opened.rows(getattr(alerts, statement), values).transaction_id]


def test_the_queue_is_open_mine_or_decided(built_url: str) -> None:
    everything = _queue(built_url, state="all")
    decided = {number for (number,) in ask_all(built_url, "SELECT transaction_id FROM desk.decisions")}
    assert set(_queue(built_url, state="decided")) == decided
    assert _queue(built_url, state="open") == [number for number in everything if number not in decided]
    number = _queue(built_url)[0]
    assert ask(built_url, f"SELECT desk.decide({number}, 'undecided')")
    assert _queue(built_url)[0] == number, "undecided is open"


def test_mine_is_what_i_decided_last_or_am_assigned_to_and_the_next_of_it_is_open(built_url: str) -> None:
    me, another = urlsplit(built_url).username, f"in_test_{secrets.token_hex(4)}"
    password, here = secrets.token_hex(8), urlsplit(built_url)
    theirs = urlunsplit(here._replace(netloc=f"{another}:{password}@{here.hostname}:{here.port}"))
    mine = {number for (number,) in ask_all(built_url, "SELECT transaction_id FROM desk.decisions")}
    assert set(_queue(built_url, state="mine", login=me)) == mine
    first, second = [number for number in _queue(built_url) if number not in mine][:2]
    assert _queue(built_url, state="mine", login=another) == []
    ask(built_url, f"CREATE ROLE {another} LOGIN PASSWORD '{password}' IN ROLE {INVESTIGATOR}")
    try:
        assert ask(built_url, f"SELECT desk.decide({first}, 'undecided', NULL, '{another}')")
        assert _queue(built_url, state="mine", login=another) == [first]
        assert set(_queue(built_url, state="mine", login=me)) == mine | {first}, "decided by me, assigned to another"
        assert ask(theirs, f"SELECT desk.decide({first}, 'fraud')")
        assert first not in _queue(built_url, state="mine", login=me), "decided by another since"
        assert _queue(built_url, state="mine", login=another) == [first]
        assert _queue(built_url, "NEXT", state="mine", login=another) == [], "it is decided"
        assert ask(built_url, f"SELECT desk.decide({second}, 'undecided', NULL, '{another}')")
        assert _queue(built_url, "NEXT", state="mine", login=another) == [second]
    finally:
        ask(
            built_url,
            "ALTER TABLE desk.decisions DISABLE TRIGGER USER",
            f"DELETE FROM desk.decisions WHERE transaction_id IN ({first}, {second})",
            "ALTER TABLE desk.decisions ENABLE TRIGGER USER",
            f"DROP ROLE {another}",
        )


@pytest.mark.parametrize("order", ["score", "newest", "amount"])
def test_the_next_alert_is_the_one_after_this_in_the_queue_and_then_the_first(order: str, built_url: str) -> None:
    queue = _queue(built_url, order=order)
    assert _queue(built_url, "NEXT", order=order) == queue[:1]
    for at in (0, 1, len(queue) // 2):
        assert _queue(built_url, "NEXT", order=order, id=queue[at]) == [queue[at + 1]]
    assert _queue(built_url, "NEXT", order=order, id=queue[-1]) == queue[:1]
    (decided,) = _queue(built_url, "NEXT", order=order, id=_queue(built_url, state="decided", order=order)[0])
    assert decided in queue


def test_a_decision_is_beside_the_label_in_the_back_test(built_url: str) -> None:
    statement = import_module("revops.dashboard.sections.rules").BY_REVIEW
    with reader.opened(built_url) as opened:
        found = opened.rows(statement, {"kind": "rule"})
    expected: dict[str, list[int]] = {}
    for name, review, label in ask_all(
        built_url,
        "SELECT h.rule_name, (SELECT d.decision = 'fraud' FROM desk.decisions AS d WHERE d.transaction_id = h.transaction_id"
        " AND d.decision <> 'undecided'), (SELECT l.is_fraud FROM facts.fct_fraud_labels AS l"
        " WHERE l.transaction_id = h.transaction_id) FROM features.rule_hits AS h"
        " WHERE h.transaction_id IN (SELECT transaction_id FROM desk.decisions WHERE decision <> 'undecided')",
    ):
        counts = expected.setdefault(str(name), [0, 0, 0, 0, 0])
        for place, is_counted in enumerate(
            (True, review, label is not None, label, label is not None and label != review)
        ):
            counts[place] += bool(is_counted)
    names = ["reviewed_alert_count", "reviewed_fraud_count", "labelled_count", "fraud_count", "contradicted_count"]
    summed = found.groupby("measured_name")[names].sum().astype(int)
    assert {name: row.tolist() for name, row in summed.iterrows()} == expected
    assert summed.contradicted_count.sum() > 0


def test_a_note_is_read_as_it_was_written(built_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    number, note = _queue(built_url)[0], "Eyes test: amount of **$5**"
    assert ask(built_url, f"SELECT desk.decide({number}, 'undecided', '{note}')")
    page = _page(built_url, monkeypatch, "transaction", id=str(number))
    (shown,) = [caption.value for caption in page.caption if caption.value.startswith("undecided, by ")]
    assert shown.endswith(f" {parts.plain(note)}"), "escaped once"


def test_the_table_of_a_card_says_what_was_declined_also_of_fraud(
    built_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((card, day),) = ask_all(
        built_url,
        "SELECT transactions.card_id, transactions.transacted_on FROM serving.enriched_transactions AS transactions"
        " JOIN serving.card_risk USING (card_id) WHERE is_fraud AND NOT is_approved ORDER BY transaction_id LIMIT 1",
    )
    page = _page(built_url, monkeypatch, "card", id=str(card), at=str(day))
    shown = page.dataframe[0].value
    found = shown.groupby(["payment", "is_fraud"]).size()
    expected = ask_all(
        built_url,
        "SELECT CASE WHEN is_approved THEN 'approved' ELSE 'declined' END, CASE WHEN is_fraud THEN 'fraud'"
        " WHEN NOT is_fraud THEN 'not fraud' ELSE 'unknown' END, count(*) FROM serving.enriched_transactions"
        f" WHERE card_id = {card} AND transacted_on BETWEEN DATE '{day}' - 30 AND DATE '{day}' + 30 GROUP BY 1, 2",
    )
    assert {tuple(key): count for key, count in found.items()} == {(one, two): count for one, two, count in expected}
    assert ("declined", "fraud") in found


@pytest.mark.parametrize(("order", "key"), [("newest", "transacted_at"), ("amount", "ABS(amount)")])
def test_pages_of_transactions_follow_one_order_without_gaps(order: str, key: str, built_url: str) -> None:
    transactions = import_module("revops.dashboard.sections.transactions")
    with reader.opened(built_url) as opened:
        values = _values(built_url) | {"order": order, "size": 40}
        found = [
            number
            for skipped in (0, 40, 80)
            for number in opened.rows(transactions.PAGE, values | {"skipped": skipped}).transaction_id
        ]
    expected = ask_all(
        built_url,
        "SELECT transaction_id FROM serving.enriched_transactions"
        f" ORDER BY {key} DESC, transacted_at DESC, transaction_id DESC LIMIT 120",
    )
    assert found == [number for (number,) in expected]


def test_the_order_of_transactions_is_kept_in_the_address(built_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = _page(built_url, monkeypatch, "transactions", order="largest_amount", page="2")
    assert not page.exception
    amounts = page.dataframe[0].value.amount.abs()
    assert amounts.is_monotonic_decreasing
    ((largest,),) = ask_all(
        built_url,
        "SELECT abs(amount) FROM serving.enriched_transactions WHERE transacted_on > DATE '2019-10-31' - 31"
        f" ORDER BY 1 DESC OFFSET {parts.PAGE_SIZE} LIMIT 1",
    )
    assert amounts.iloc[0] == float(largest)


def test_yesterday_is_what_the_days_revenue_says(built_url: str) -> None:
    ((last,),) = ask_all(built_url, "SELECT max(transacted_on) FROM serving.daily_revenue")
    with reader.opened(built_url) as opened:
        shown = filters.days(opened, Filters(), timedelta(days=1))
        assert shown
        assert shown.last == last
        week = Days(last - timedelta(days=6), last, shown.landed_first, shown.landed_last)
        found = opened.rows(yesterday.BY_DAY, filters.values(Filters(), week))
    expected = ask_all(
        built_url,
        "SELECT transacted_on, sum(net_volume), sum(transaction_count), sum(declined_count) FROM serving.daily_revenue"
        f" WHERE transacted_on > DATE '{last}' - 7 GROUP BY 1 ORDER BY 1",
    )
    shown_days = found[["day", "net_volume", "transaction_count", "declined_count"]].itertuples(index=False, name=None)
    assert list(shown_days) == [tuple(float(each) if n else each for n, each in enumerate(row)) for row in expected]
    ((alerts,),) = ask_all(
        built_url, f"SELECT count(*) FROM serving.fraud_alerts WHERE transacted_on > DATE '{last}' - 7"
    )
    assert found.alert_count.sum() == alerts


def test_a_mover_is_the_day_against_the_mean_of_the_days_before(built_url: str) -> None:
    day = date(2019, 10, 30)
    with reader.opened(built_url) as opened:
        values = filters.values(Filters(), Days(day - timedelta(days=28), day, day, day)) | {"day": day, "days": 28}
        found = {kind: opened.rows(yesterday.MOVERS, values | {"kind": kind}) for kind in yesterday.KINDS.values()}
    for moved in found.values():
        assert moved.net_volume.sum() == pytest.approx(found["channel"].net_volume.sum()), "each is all of the day"
    categories = dict(ask_all(built_url, "SELECT mcc::text, mcc_description FROM dimensions.dim_mcc"))
    assert all(categories[row.mover] == row.mover_name for row in found["category"].itertuples())
    chip = found["channel"][found["channel"].mover == "chip"].iloc[0]
    ((today, before),) = ask_all(
        built_url,
        "SELECT sum(net_volume) FILTER (WHERE transacted_on = DATE '2019-10-30'),"
        " round(sum(net_volume) FILTER (WHERE transacted_on < DATE '2019-10-30') / 28, 2) FROM serving.daily_revenue"
        " WHERE channel = 'chip' AND transacted_on BETWEEN DATE '2019-10-02' AND DATE '2019-10-30'",
    )
    assert (chip.net_volume, chip.usual) == (float(today), float(before))
    assert chip.change == pytest.approx(float(today - before))


def test_a_download_has_all_rows_to_the_cent_and_no_more_than_it_may(
    built_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((expected, total),) = ask_all(built_url, "SELECT count(*), sum(amount) FROM serving.enriched_transactions")
    statement = import_module("revops.dashboard.sections.transactions").CHOSEN
    assert expected > parts.MOST_ROWS
    monkeypatch.delenv("REVOPS_EMBEDDED_URL", raising=False)
    monkeypatch.setenv("DB_CONNECTION_STRING", built_url)
    read = parts.csv_of(statement, _values(built_url))
    rows = list(csv.DictReader(read().decode().splitlines()))
    assert len(rows) == expected
    assert sum(Decimal(row["amount"]) for row in rows) == total
    monkeypatch.setattr(reader, "MOST_DOWNLOADED", 10)
    with pytest.raises(UsageError, match="more than 10 rows"):
        read()


def test_a_page_reads_no_more_rows_than_it_may(built_url: str) -> None:
    with reader.opened(built_url) as opened:
        statement = import_module("revops.dashboard.sections.transactions").CHOSEN
        assert len(opened.rows(statement, _values(built_url), 7)) == 7


@pytest.mark.parametrize("path", [section.path for section in sections.ALL])
def test_each_page_is_made_without_a_fault(path: str, built_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    section = next(each for each in sections.ALL if each.path == path)
    values = _values(built_url)["ids"]
    page = _page(built_url, monkeypatch, f"/{path}", id=str(values.get(path, "")), q="card 5000000")
    assert not page.exception
    assert not page.error
    assert sum(caption.value.startswith("Units") for caption in page.caption) == bool(section.units)


@pytest.mark.parametrize(
    ("path", "view", "headings"),
    [
        ("fraud", "hours", ["By hour of the day", "By hour and weekday"]),
        ("fraud", "ages_of_cards", ["By age of the card"]),
        ("fraud", "runs", ["Runs of fraud on a card"]),
        ("revenue", "margin", ["What the issuer makes", "The rates of the estimate"]),
        ("revenue", "unusual_days", ["Unusual days and holidays"]),
        ("rules", "overlap", ["Which rules hit the same"]),
        ("rules", "capacity", ["How many cards a day are worth a look"]),
    ],
)
def test_each_view_of_a_page_is_at_its_address(
    path: str, view: str, headings: list[str], built_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = _page(built_url, monkeypatch, f"/{path}", view=view)
    assert not page.exception
    assert [each.value.removeprefix("##### ") for each in page.markdown if each.value.startswith("##### ")] == headings
    assert page.dataframe or view == "hours"


def test_a_band_shows_where_a_day_lies_and_says_each_value() -> None:
    days = pd.DataFrame({
        "day": [date(2019, 10, 29), date(2019, 10, 30), date(2019, 10, 31)], "rate": [10.0, float("nan"), 30.0],
        "low": 10.0, "high": 20.0, "is_last": [False, False, True],
    })  # fmt: skip
    drawn = ElementTree.fromstring(
        charts.band(days, "rate", "R & D", lambda value: "none" if value != value else f"{value:.0f} < 1")
    )
    assert drawn.attrib["aria-label"] == "R & D"
    titles = [title.text for title in drawn.iter("title")]
    assert titles == ["Tue 2019-10-29: 10 < 1", "Wed 2019-10-30: none", "Thu 2019-10-31: 30 < 1"]
    (last,) = drawn.findall("circle")
    assert float(last.attrib["cy"]) == 8, "at the top"
    (shaded, *_) = drawn.findall("rect")
    assert (float(shaded.attrib["y"]), float(shaded.attrib["height"])) == (40, 32), "where the days before lay"
    (line,) = drawn.findall("path")
    assert line.attrib["d"].split("M")[1].endswith(" 72.0h0"), "the first day at the bottom"
    assert line.attrib["d"].count("M") == 2, "a day without a rate is a gap"


def _count(page: AppTest) -> int:
    """Of how many transactions the page of transactions tells."""
    (said,) = (
        match for each in page.caption if (match := re.fullmatch(r"Page 1 of .*, ([\d,]+) transactions?", each.value))
    )
    return int(said[1].replace(",", ""))


DECLINED = "SELECT count(*) FROM serving.enriched_transactions WHERE NOT is_approved AND channel = 'online' AND "
THERE = "SELECT count(*) FROM serving.enriched_transactions WHERE transacted_on >= '2018-11-01' AND merchant_state = "


@pytest.mark.parametrize(
    ("path", "key", "clicked", "address", "expected"),
    [
        ("declines", "decline rates", {"shown": "Oct 2018", "part": "online"}, {"first": "2018-10-16", "last": "2019-02-28"},
         f"{DECLINED} transacted_on BETWEEN '2018-10-16' AND '2018-10-31'"),
        ("declines", "decline rates", {"shown": "Jul 2019", "part": "online"}, {},
         f"{DECLINED} transacted_on BETWEEN '2019-07-01' AND '2019-07-31'"),
        ("declines", "reasons", {"decline_reason": "Insufficient Balance", "part": "online"}, {},
         f"{DECLINED} transacted_on >= '2018-11-01' AND has_insufficient_balance"),
        ("declines", "decline reasons", {"decline_reason": "Any error", "part": "online"}, {},
         f"{DECLINED} transacted_on >= '2018-11-01'"),
        ("geography", "states", {"place": "CA"}, {}, f"{THERE} 'CA'"),
        ("geography", "states", {"place": "CA"}, {"channel": "chip"}, f"{THERE} 'CA' AND channel = 'chip'"),
        ("geography", "countries", {"place": "Mexico"}, {}, f"{THERE} 'Mexico'"),
        ("geography", "places", {"place": "CA"}, {}, f"{THERE} 'CA'"),
    ],
)  # fmt: skip
def test_a_click_leads_to_the_transactions_that_it_counts(
    path: str, key: str, clicked: dict[str, Any], address: dict[str, str], expected: str, built_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    page = _led(built_url, monkeypatch, path, key, clicked, **address)
    assert page.subheader[0].value.startswith("Transactions, ")
    assert _count(page) == ask_all(built_url, expected)[0][0] > 0


def test_a_choice_is_put_into_the_address_and_starts_at_the_first_page(
    built_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = _page(built_url, monkeypatch, "transactions", page="2", first="2019-01-01", last="2019-10-31")
    assert any(caption.value.startswith("Page 2 of") for caption in page.caption)
    page.session_state["filters"] = True  # the box is open
    page.run()
    page.selectbox(key="choose channel").select("online").run()
    assert not page.exception
    assert page.query_params == {"channel": ["online"], "first": ["2019-01-01"], "last": ["2019-10-31"]}


@pytest.mark.parametrize(
    ("path", "address", "period"),
    [
        ("declines", {}, "1 year"),
        ("fraud", {}, "1 year"),
        ("transactions", {}, "31 days"),
        ("declines", {"first": "2019-10-01"}, "31 days"),
        ("declines", {"first": "2019-10-02"}, None),
        ("declines", {"first": "2010-01-01", "last": "2019-10-31"}, "All"),
    ],
)
def test_the_period_that_a_page_shows_is_marked_also_where_no_days_are_chosen(
    path: str, address: dict[str, str], period: str | None, built_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = _page(built_url, monkeypatch, path, **address)
    assert not page.exception
    assert page.session_state["period"] == period


@pytest.mark.parametrize("path", ["yesterday", "overview"])
def test_a_page_that_shows_no_period_asks_for_none(path: str, built_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = _page(built_url, monkeypatch, path)
    assert not page.exception
    assert "period" not in page.session_state


@pytest.mark.parametrize(
    ("path", "address", "days"),
    [
        ("declines", {}, (date(2018, 11, 1), date(2019, 10, 31))),
        ("overview", {}, (date(2010, 1, 1), date(2019, 10, 31))),
        ("overview", {"first": "1999-01-01", "last": "2030-01-01"}, (date(2010, 1, 1), date(2019, 10, 31))),
    ],
)
def test_the_days_of_the_box_are_never_empty_and_one_is_chosen_alone(
    path: str, address: dict[str, str], days: tuple[date, date], built_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = _page(built_url, monkeypatch, path, **address)
    page.session_state["filters"] = True
    page.run()
    assert (page.date_input(key="from").value, page.date_input(key="to").value) == days
    page.date_input(key="from").set_value(date(2019, 7, 1)).run()
    assert not page.exception
    assert page.query_params == {name: [value] for name, value in {**address, "first": "2019-07-01"}.items()}


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("declines", {"rule": ["rapid_use"], "order": ["newest"]}),
        ("alerts", {"order": ["newest"]}),
        ("merchant", {"id": ["99001"], "rule": ["rapid_use"], "order": ["newest"]}),
    ],
)
def test_what_is_cleared_leaves_the_address_but_for_what_the_page_is_of(
    path: str, left: dict[str, list[str]], built_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = _page(built_url, monkeypatch, path, id="99001", channel="swipe", page="2", rule="rapid_use", order="newest")
    page.button(key="clear").click().run()
    assert not page.exception
    assert page.query_params == left


def test_filters_of_the_queue_alone_are_cleared_too(built_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = _page(built_url, monkeypatch, "alerts", least="20")
    page.button(key="clear").click().run()
    assert page.query_params == {}
    assert not [button for button in page.button if button.key == "clear"]


def test_a_limit_of_a_rule_is_asked_for_in_dollars_and_the_line_of_the_seed_has_cents(
    built_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = _page(built_url, monkeypatch, "what_if", rule="online_new_category")
    amount = page.number_input(key="online_new_category min_amount_cents")
    assert (amount.label, amount.value) == ("Amount, US$, at least", 100.0)
    assert not [each.label for each in (*page.number_input, *page.multiselect) if "_" in each.label]
    amount.set_value(250.29)
    page.button(key="online_new_category try").click().run()
    assert not page.exception
    assert ",25029," in page.code[0].value


@pytest.mark.parametrize(
    ("first", "is_reached", "said"),
    [
        ("2010-01-01", "FALSE", ["No merchant reached a level in these months. Below are those with the most frauds."]),
        ("2010-01-01", "TRUE", []),
        ("2030-01-01", "FALSE", ["No merchant had settled fraud in these months. Choose more days."]),
    ],
)
def test_the_monitors_say_when_no_merchant_reached_a_level(
    first: str, is_reached: str, said: list[str], built_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No merchant of so few rows reached one: that some did is put into the statement."""
    condition = "latest_level <> 'below'"
    assert condition in merchants.MONITORS
    monkeypatch.setattr(merchants, "MONITORS", merchants.MONITORS.replace(condition, is_reached))
    page = _page(built_url, monkeypatch, "merchants", list="network_monitors", first=first)
    assert not page.exception
    assert [info.value for info in page.info] == said
    assert len(page.dataframe) == (1 if first == "2030-01-01" else 2)


@pytest.mark.parametrize(
    ("path", "address", "said"),
    [
        ("merchants", {"list": "points_of_compromise", "first": "2019-10-30"}, "labels are complete up to"),
        ("rules", {"measure": "scorecard"}, r"revops train` does so: see docs/scorecards\.md"),
    ],
)
def test_a_page_without_rows_says_why(
    path: str, address: dict[str, str], said: str, built_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = _page(built_url, monkeypatch, path, **address)
    assert not page.exception
    (info,) = page.info
    assert re.search(said, info.value)


def test_rows_that_are_drawn_and_listed_are_read_once(built_url: str) -> None:
    statement, other = "SELECT merchant_id FROM serving.merchant_risk ORDER BY 1", "SELECT 1 AS one"
    with reader.opened(built_url) as opened:
        drawn = opened.rows(statement, most=5)
        opened.rows(other)
        listed = opened.rows(statement, most=3)
        assert b"AS one" in opened.cursor.query
        assert listed.merchant_id.tolist() == drawn.merchant_id.tolist()[:3]
        assert len(opened.rows(statement, most=7)) == 7
        listed["merchant_id"] = 0
        assert opened.rows(statement, most=3).merchant_id.tolist() == drawn.merchant_id.tolist()[:3]


def test_what_months_show_begins_with_the_first_of_one(built_url: str) -> None:
    with reader.opened(built_url) as opened:
        shown = filters.days(opened, Filters(), 12)
        assert shown
        earlier = filters.days(opened, Filters(last=date(2018, 3, 15)), 12)
    assert shown.are_whole_months
    assert shown.last == shown.landed_last
    assert (shown.first, earlier and earlier.first) == (date(2018, 11, 1), date(2017, 4, 1))


@pytest.mark.unit
def test_streamlits_script_is_the_one_that_is_mended() -> None:
    """Where it is another one, see whether it still needs to be: tests/end_to_end/test_dashboard.py goes back and forward."""
    static = Path(import_module("streamlit").__file__ or "").parent / "static"
    (script,) = [path for path in static.rglob("index.*.js") if "pushState" in path.read_text(encoding="utf-8")]
    text, mended = script.read_text(encoding="utf-8"), history.mended(str(script)).decode()
    assert [text.count(part) for part, _ in history.CHANGES] == [1] * len(history.CHANGES)
    assert [mended.count(part) for part, _ in history.CHANGES] == [0] * len(history.CHANGES)


@pytest.mark.unit
def test_every_month_has_one_label_and_it_is_its_own() -> None:
    months = pd.DataFrame(
        {"period": pd.date_range("2019-01-01", "2019-12-01", freq="MS"), "part": "chip", "value": 1.0}
    )
    drawn = charts.bars(months, "value", "value").to_dict()
    assert drawn["encoding"]["x"]["type"] == "ordinal", "a time axis has 13 labels for 12 bars, between them"
    labelled = drawn["encoding"]["x"]["scale"]["domain"]
    (rows,) = drawn["datasets"].values()
    assert labelled == [row["shown"] for row in rows]
    assert (labelled[0], labelled[-1], len(labelled)) == ("Jan 2019", "Dec 2019", 12)


@pytest.mark.unit
@pytest.mark.parametrize(("value_format", "spelled"), [(charts.WHOLE_DOLLARS, "$~s"), (charts.COUNT, "~s")])
def test_dollars_have_their_sign_on_an_axis_and_zero_has_no_unit(value_format: str, spelled: str) -> None:
    rows = pd.DataFrame({
        "period": [date(2019, 1, 1)], "part": ["chip"], "place": ["CA"], "place_name": ["California"], "value": [2e6],
        "weekday": [1], "hour_of_day": [3],
    })  # fmt: skip
    tiles = charts.state_tiles(rows, "value", "value", value_format, {}).to_dict()
    said = [
        charts.bars(rows, "value", "value", value_format).to_dict()["encoding"]["y"]["axis"],
        charts.divisors(rows, "value", "value", value_format=value_format).to_dict()["encoding"]["y"]["axis"],
        charts.ranked(rows, "place", "value", "value", {}, value_format=value_format).to_dict()["encoding"]["x"][
            "axis"
        ],
        tiles["layer"][0]["encoding"]["color"]["legend"],
        charts.week(rows, "value", "value", value_format, {}).to_dict()["encoding"]["color"]["legend"],
    ]
    assert {each["format"] for each in said} == {spelled}
    assert {each["labelExpr"] for each in said} == {"datum.value == 0 ? '0' : datum.label"}


@pytest.mark.parametrize(("at", "last", "said"), [("2019-10-21", "2019-11-01", 1), ("2019-09-01", "2019-10-02", 0)])
def test_the_time_line_of_a_card_ends_with_the_data(
    at: str, last: str, said: int, built_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((card,),) = ask_all(
        built_url,
        "SELECT card_id FROM serving.enriched_transactions WHERE transacted_on BETWEEN '2019-08-05' AND '2019-10-20'"
        " GROUP BY card_id ORDER BY count(*) DESC LIMIT 1",
    )
    drawn: list[Any] = []
    timeline = charts.timeline
    monkeypatch.setattr(charts, "timeline", lambda *given: drawn.append(timeline(*given)) or drawn[0])
    page = _page(built_url, monkeypatch, "card", id=str(card), at=at)
    assert not page.exception
    domain = drawn[0].to_dict()["layer"][1]["encoding"]["x"]["scale"]["domain"]
    assert (domain[1], sum(each.value.startswith("The data ends on") for each in page.caption)) == (last, said)


@pytest.mark.unit
def test_a_month_without_rows_keeps_its_place() -> None:
    months = pd.DataFrame({"period": [date(2019, 1, 1), date(2019, 3, 1)], "value": [1.0, 2.0]})
    drawn = charts.bars(months, "value", "value").to_dict()
    assert drawn["encoding"]["x"]["scale"]["domain"] == ["Jan 2019", "Feb 2019", "Mar 2019"]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("change", "unit", "more_is", "expected"),
    [
        (0.0, "%", "better", ("0.00 %", "off", "off")),
        (-0.004, "pp", "worse", ("0.00 pp", "off", "off")),
        (0, "", "worse", ("0", "off", "off")),
        (None, "%", "better", ("unknown", "off", "off")),
        (math.nan, "%", "better", ("unknown", "off", "off")),
        (1.234, "%", "better", ("+1.23 %", "normal", "auto")),
        (-3, "", "worse", ("-3", "inverse", "auto")),
    ],
)
def test_no_change_is_grey(change: float | None, unit: str, more_is: str, expected: tuple[str, str, str]) -> None:
    assert parts.delta(change, unit, more_is) == expected


@pytest.mark.unit
def test_months_whose_labels_are_still_to_come_are_marked() -> None:
    months = pd.DataFrame({"period": [date(2019, 8, 1), date(2019, 9, 1)], "part": "chip", "rate": 1.0})
    seen = [list(charts.with_labels(months, day)["labels"]) for day in (date(2019, 9, 29), date(2019, 9, 30), None)]
    assert seen == [[labels.FINAL, labels.PENDING], [labels.FINAL] * 2, [labels.PENDING] * 2]
    drawn = charts.rates(charts.with_labels(months, date(2019, 9, 29)), "rate", "rate", {}).to_dict()
    assert drawn["layer"][1]["encoding"]["fillOpacity"]["field"] == "labels"


@pytest.mark.unit
@pytest.mark.parametrize(
    ("landed", "labelled", "expected"),
    [
        (date(2019, 10, 31), date(2019, 10, 31), date(2019, 10, 24)),
        (date(2019, 11, 11), date(2019, 10, 31), date(2019, 10, 31)),
        (date(2019, 11, 11), None, None),
    ],
)
def test_labels_are_complete_up_to_their_delay_and_to_the_last_that_has_landed(
    landed: date, labelled: date | None, expected: date | None
) -> None:
    assert labels.last_mature_day(landed, labelled) == expected


def test_the_last_labelled_day_is_the_one_of_the_facts(built_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ((landed, labelled),) = ask_all(
        built_url,
        "SELECT max(transacted_on), max(transacted_on) FILTER (WHERE is_fraud IS NOT NULL) FROM facts.fct_outcomes",
    )
    expected = labels.last_mature_day(landed, labelled)
    assert expected is not None
    with reader.opened(built_url) as opened:
        assert filters.labelled_last(opened, landed) == expected
    page = _page(built_url, monkeypatch, "yesterday")
    ((count,),) = ask_all(
        built_url, f"SELECT count(is_fraud) FROM facts.fct_outcomes WHERE transacted_on = DATE '{expected}'"
    )
    assert page.metric[4].label == f"Fraud, {expected:%d %b}, of {count:,} labelled"


@pytest.mark.unit
def test_months_that_are_not_whole_are_named() -> None:
    landed = date(2010, 1, 1), date(2019, 11, 11)
    year = Days(date(2018, 12, 1), date(2019, 11, 11), *landed)
    assert parts.part_months(year) == " November 2019 is up to 2019-11-11 alone."
    assert parts.in_months(year, Filters(), ()) == " November 2019 has landed up to 2019-11-11 alone."
    assert year.whole_until == date(2019, 11, 1)
    earlier = Days(date(2018, 3, 15), date(2019, 10, 31), *landed)
    assert parts.part_months(earlier) == " March 2018 is from 2018-03-15 on."
    assert parts.in_months(earlier, Filters(), ()) == " Whole months: Mar 2018 to Oct 2019."
    assert parts.part_months(Days(date(2019, 11, 1), date(2019, 11, 11), *landed)) == "", "it is drawn by day"
    assert Days(date(2019, 10, 1), date(2019, 10, 31), date(2010, 1, 1), date(2019, 10, 31)).whole_until == date(
        2019, 11, 1
    )


def test_the_newest_days_are_compared_with_those_before_them(built_url: str) -> None:
    with reader.opened(built_url) as opened:
        found = opened.rows(revenue.SEASON, {"since": date(2010, 1, 1), "until": date(2020, 1, 1)})
    days = ask_all(built_url, "SELECT date_day, is_holiday, settled_volume FROM serving.seasonality ORDER BY date_day")
    volumes = [float(volume) for _, _, volume in days]
    expected = {
        day
        for place, (day, is_holiday, volume) in list(enumerate(days))[-17:]
        if is_holiday or not 75 <= 100 * float(volume) / (sum(volumes[place - 35 : place]) / 35) <= 125
    }
    assert expected, "it tests nothing"
    assert {day for day in found.date_day if day > days[-18][0]} == expected


def test_the_clients_that_are_lost_are_those_that_the_cohorts_count(built_url: str) -> None:
    with reader.opened(built_url) as opened:
        cohorts = opened.rows(clients.COHORTS, {"since": date(2015, 1, 1), "until": date(2016, 1, 1)})
        lost = {month: len(opened.rows(clients.LOST, {"month": month})) for month in cohorts.period}
    assert lost == dict(zip(cohorts.period, cohorts.lost_clients, strict=True))
    assert sum(lost.values()) > 0


@pytest.mark.unit
def test_the_declared_delay_is_the_one_of_the_features() -> None:
    features = (ROOT / "models" / "features" / "transaction_features.sql").read_text(encoding="utf-8")
    assert f"AND {labels.DELAY.days + 1} PRECEDING" in features


@pytest.mark.unit
@pytest.mark.parametrize(
    "page", ["overview", "categories", "geography", "merchants", "merchant", "card", "client", "fraud"]
)
def test_a_column_of_fraud_says_of_which_transactions_it_is(page: str) -> None:
    source = (ROOT / "revops" / "dashboard" / "sections" / f"{page}.py").read_text(encoding="utf-8")
    named = re.findall(r'(\w*(?:fraud|labelled|event)(?:_settled)?_(?:count|rate_bp))=parts\.\w+\("([^"]+)"\)', source)
    assert named or page == "card"
    for column, name in named:
        if column.startswith(("recent", "alerted", "estimated", "unlabelled")):
            continue
        is_of_purchases = "settled" in column or column == "event_count"
        assert re.search("purchases|Rate by" if is_of_purchases else "kinds|declined|refunds", name), column


@pytest.mark.unit
@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [(-226, 2, "-$226.00"), (-0.4, 0, "$0"), (-0.4, 2, "-$0.40"), (1234.5, 0, "$1,234"), (None, 2, parts.NONE)],
)
def test_the_sign_comes_before_the_dollar(value: float | None, digits: int, expected: str) -> None:
    assert parts.dollars(value, digits) == expected


@pytest.mark.unit
def test_one_colour_means_one_thing() -> None:
    assert len(set(charts.COLOURS.values())) == len(charts.COLOURS)


@pytest.mark.unit
def test_cards_of_a_day_and_transactions_share_no_axis() -> None:
    rules = import_module("revops.dashboard.sections.rules")
    counted = dict(rules.KINDS.values())
    assert counted["cards"] not in {counted["rule"], counted["score"]}
    assert "measured_kind = %(kind)s" in rules.BY_ERA


@pytest.mark.unit
def test_the_browser_chooses_between_light_and_dark() -> None:
    assert {name for name in serve.OPTIONS if name.startswith("theme.")} == {
        "theme.light.primaryColor",
        "theme.dark.primaryColor",
    }, "a colour of the theme itself makes every page light"


@pytest.mark.unit
def test_all_states_are_on_the_map_each_in_a_place_of_its_own() -> None:
    with (ROOT / "seeds" / "us_states.csv").open(newline="") as stream:
        states = {row["state_code"] for row in csv.DictReader(stream) if row["state_kind"] in ("state", "district")}
    assert set(charts.TILES) == states
    assert len(set(charts.TILES.values())) == len(states)


@pytest.mark.unit
@pytest.mark.parametrize(("values", "most"), [([0, 0], 1), ([None, 0], 1), ([2, 8], 8)])
def test_nothing_is_the_lightest_colour_whatever_the_others_have(values: list[float | None], most: int) -> None:
    states = pd.DataFrame({"place": ["CA", "NY"], "place_name": ["California", "New York"], "volume": values})
    hours = pd.DataFrame({"weekday": [1, 2], "hour_of_day": [3, 4], "volume": values})
    tiles = charts.state_tiles(states, "volume", "volume", "d", {}).to_dict()
    for drawn in (tiles["layer"][0], charts.week(hours, "volume", "volume", "d", {}).to_dict()):
        scale = drawn["encoding"]["color"]["scale"]
        assert scale == {"scheme": "blues", "domain": [0, most]}


@pytest.mark.unit
def test_rows_are_as_high_as_their_longest_sentence_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a row is not higher than Streamlit asks for, its text is cut at the end of its column."""
    heights: list[int | None] = []
    monkeypatch.setattr(st, "dataframe", lambda _, **options: heights.append(options.get("row_height")))
    for letters in (10, 100, 300):
        rows = pd.DataFrame({"reasons": ["short", None, "x" * letters], "other": "y" * 500})
        parts.table(rows, reasons=parts.sentences("Reasons"), other="Other")
    assert heights == [None, parts.LOWEST_WRAPPED, 6 * parts.LINE + parts.AROUND]


@pytest.mark.unit
def test_a_login_is_found_by_its_token_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = investigator.Login("alice", "hidden"), investigator.Login("bob", "hidden too")
    first = investigator.keep(alice)
    monkeypatch.setattr(investigator, "LONGEST", 0.1)
    second = investigator.keep(bob)
    assert (investigator.kept(first), investigator.kept(second)) == (alice, bob)
    assert investigator.kept("guessed") is None
    time.sleep(0.5)
    assert (investigator.kept(first), investigator.kept(second)) == (alice, None)


@pytest.mark.unit
def test_an_address_says_what_is_chosen_and_what_it_does_not_understand_is_left_out() -> None:
    chosen = Filters(date(2019, 1, 2), date(2019, 3, 4), "online", "Debit (Prepaid)", "Visa", 5411, "Italy")
    assert filters.read(chosen.address()) == chosen
    nonsense = {"first": "2019-13-01", "last": "x", "channel": "pigeon", "category": "' OR 1=1", "other": "1"}
    assert filters.read(nonsense) == Filters()


@pytest.mark.unit
def test_a_period_of_months_is_told_from_one_of_days() -> None:
    landed = date(2010, 1, 1), date(2019, 10, 31)
    assert Days(date(2019, 1, 1), date(2019, 2, 28), *landed).are_whole_months
    assert not Days(date(2019, 1, 2), date(2019, 2, 28), *landed).are_whole_months
    assert Days(date(2019, 12, 1), date(2019, 12, 31), *landed).whole_months == (date(2019, 12, 1), date(2020, 1, 1))
    assert Filters().of_month(date(2020, 2, 1)) == Filters(date(2020, 2, 1), date(2020, 2, 29))


def test_the_headline_is_the_last_complete_month_and_compares_it_with_its_neighbours(built_url: str) -> None:
    with reader.opened(built_url) as opened:
        headline = opened.rows(overview.HEADLINE, {"until": date(2030, 1, 1)}).iloc[0]
    months = {
        month: figures
        for month, *figures in ask_all(
            built_url,
            "SELECT month_start, settled_refunds, decline_rate_bp, active_clients FROM serving.monthly_executive_summary"
            " WHERE is_complete",
        )
    }
    complete = "SELECT max(month_start) FROM serving.monthly_executive_summary WHERE is_complete"
    ((last,),) = ask_all(built_url, complete)
    before = date(last.year - (last.month == 1), (last.month - 2) % 12 + 1, 1)
    year_before = last.replace(year=last.year - 1)
    assert headline.month_start == last
    for neighbour, suffix in ((before, "mom"), (year_before, "yoy")):
        refunds, declined, clients = (float(value) for value in months.get(neighbour, [math.nan] * 3))
        for name, expected in (
            ("refunds_{}_percent", 100 * (headline.settled_refunds / refunds - 1) if refunds else math.nan),
            ("decline_rate_{}_percent", (headline.decline_rate_bp - declined) / 100),
            ("active_clients_{}_percent", 100 * (headline.active_clients / clients - 1)),
        ):
            found = headline[name.format(suffix)]
            found = math.nan if found is None else float(found)
            assert found == pytest.approx(expected, abs=0.01, nan_ok=True), name


def test_it_reads_serving_and_nothing_else_and_writes_nothing(built_url: str) -> None:
    with reader.opened(built_url) as opened:
        assert opened.value("SHOW transaction_read_only") == "on"
        assert opened.value("SHOW transaction_isolation") == "read committed", "else a promotion empties a page"
        assert opened.value("SHOW statement_timeout") == reader.LIMITS["statement_timeout"]
        with pytest.raises(errors.InsufficientPrivilege):
            opened.value("SELECT count(*) FROM facts.fct_transactions")
    with reader.opened(built_url) as opened, pytest.raises(errors.ReadOnlySqlTransaction):
        opened.value("CREATE TEMPORARY TABLE mine AS SELECT 1")


BACKEND = "SELECT pg_backend_pid()"
OF_PAGES = "application_name = 'revops dashboard' AND datname = current_database()"


def test_a_page_takes_the_connection_that_another_has_left(built_url: str) -> None:
    with reader.opened(built_url) as opened:
        first = opened.value(BACKEND)
        with reader.opened(built_url) as meanwhile:
            assert meanwhile.value(BACKEND) != first
            assert meanwhile.reads_as == "revops_analyst"
    with reader.opened(built_url) as opened:
        assert opened.value(BACKEND) == first, "the last one that was left"
        assert opened.value("SHOW transaction_read_only") == "on"


def test_a_connection_that_was_ended_or_is_still_busy_is_not_taken(built_url: str) -> None:
    with reader.opened(built_url) as opened:
        ended = opened.value(BACKEND)
    ask(built_url, f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {OF_PAGES}")
    with reader.opened(built_url) as opened:
        busy = opened.value(BACKEND)
        assert busy != ended
        opened.cursor.execute("BEGIN")
    with reader.opened(built_url) as opened:
        lost = opened.value(BACKEND)
        assert lost != busy
        ask(built_url, f"SELECT pg_terminate_backend({lost})")
        with pytest.raises(psycopg2.OperationalError):
            opened.value(BACKEND)
    with reader.opened(built_url) as opened:
        assert opened.value(BACKEND) not in (ended, busy, lost)


def test_few_connections_are_left_open(built_url: str) -> None:
    with ExitStack() as pages:
        for _ in range(7):
            pages.enter_context(reader.opened(built_url))
    deadline = time.monotonic() + 30
    count = f"SELECT count(*) FROM pg_stat_activity WHERE {OF_PAGES}"
    while ask(built_url, count) != 4 and time.monotonic() < deadline:  # the server takes a moment to see an end
        time.sleep(0.05)
    assert ask(built_url, count) == 4


def test_an_account_that_may_not_take_the_role_reads_as_itself(built_url: str, database_url: str) -> None:
    user, password = f"in_test_{secrets.token_hex(4)}", secrets.token_hex(8)
    assert ask(built_url, "SELECT to_regrole('revops_analyst') IS NOT NULL") is True
    ask(database_url, f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
    try:
        parts_of_url = urlsplit(database_url)
        login = urlunsplit(
            parts_of_url._replace(netloc=f"{user}:{password}@{parts_of_url.hostname}:{parts_of_url.port}")
        )
        with reader.opened(login) as opened:
            assert opened.reads_as == user
            assert opened.value("SHOW transaction_read_only") == "on"
    finally:
        ask(database_url, f"DROP ROLE {user}")


def test_synthetic_rows_are_announced(built_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _page(built_url, monkeypatch).warning
    demo_set.mark(built_url, demo_set.Size())
    try:
        page = _page(built_url, monkeypatch)
    finally:
        demo_set.unmark(built_url)
    assert "Synthetic" in page.warning[0].value
    assert [metric.label for metric in page.metric][:4] == ["Net volume", "Transactions", "Decline rate", "Alerts"]
    assert not page.error
    assert not page.exception


def test_where_nothing_is_built_it_says_what_to_run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = _page(database_url, monkeypatch)
    assert re.search("Nothing is built here yet.*revops run", page.info[0].value)
    assert not page.error
    assert not page.exception


def test_a_database_out_of_reach_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    page = _page("postgresql://u:hid%40den@127.0.0.1:1/d", monkeypatch)
    assert page.error[0].value == "The figures cannot be read."
    assert "postgresql://u@127.0.0.1:1/d" in page.code[0].value
    assert "hid" not in page.code[0].value
    assert not page.exception


@pytest.mark.parametrize("command", ["dashboard", "ui"])
def test_a_port_that_is_taken_is_refused_before_anything_starts(command: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*REVOPS, command, "--port", port],
            cwd=ROOT,
            env={
                "REVOPS_HOME": str(home),
                "REVOPS_ENV_FILE": str(tmp_path / "env"),
                "DB_CONNECTION_STRING": "postgresql://u@127.0.0.1:1/d",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"Cannot listen on 127.0.0.1, port {port}: the port is taken.",
        "  Choose another with --host and --port.",
    ]
    assert not home.exists()


@pytest.mark.unit
def test_it_tells_nobody_and_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit import net_util
    from streamlit.web import cli

    def ask_outside() -> str:
        raise AssertionError("asked a server outside")

    monkeypatch.setattr(net_util, "get_external_ip", ask_outside)
    monkeypatch.setattr(cli, "main", lambda prog_name: net_util.get_external_ip())
    serve.main()
    options = serve.command("127.0.0.1", 8501)
    assert "--browser.gatherUsageStats=false" in options
    assert "--server.headless=true" in options
    assert "--server.address=127.0.0.1" in options


@pytest.mark.unit
def test_the_key_of_the_card_tokens_is_kept_from_it() -> None:
    assert serve.environment({"REVOPS_PAN_KEY": "x", "DB_CONNECTION_STRING": "y"}) == {"DB_CONNECTION_STRING": "y"}


@pytest.mark.unit
def test_words_from_the_database_are_no_markup() -> None:
    assert parts.plain("[a](b) **$5** <i>") == r"\[a\]\(b\) \*\*\$5\*\* \<i\>"


def _tables(text: str) -> set[tuple[str, str]]:
    """The relations that a statement reads, as schema and name."""
    parsed = sqlglot.parse_one(re.sub(r"%\((\w+)\)s", r":\1", text), read="postgres")
    steps = {step.alias for step in parsed.find_all(exp.CTE)}
    return {(table.db, table.name) for table in parsed.find_all(exp.Table) if table.db or table.name not in steps}
