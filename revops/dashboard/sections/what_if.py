"""What each rule asks for, and what a changed one would have raised, beside what is raised today, era by era."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pandas as pd
import streamlit as st

from revops.dashboard import filters, links, parts
from revops.dashboard.filters import Filters
from revops.dashboard.reader import Reader

RULES = """
SELECT rule_name, weight, action, valid_from_date, valid_until_date, channel, kinds, cells
FROM serving.fraud_rules
ORDER BY valid_until_date IS NOT NULL, rule_name
"""

THRESHOLDS = """
SELECT DISTINCT SPLIT_PART(measured_name, ' >= ', 2)::INT AS min_score
FROM serving.rule_performance
WHERE measured_kind = 'score'
ORDER BY min_score
"""

SIZE = """
SELECT SUM(transaction_count) AS transaction_count
FROM serving.monthly_executive_summary
"""

# A function of the desk: it reads features, which analysts may not, and returns sums alone.
_TRIED = """
SELECT era, is_tuning, day_count, alert_count, alert_count_then, labelled_count, labelled_count_then, fraud_count,
       fraud_count_then, value_caught, value_caught_then, value_disturbed, value_disturbed_then
FROM desk.what_if(%(rule)s::JSONB, %(min_score)s, %(every)s)
ORDER BY era
"""

# What a rule may ask for, by column of the seed: its name for people, and the unit of a limit.
DOLLARS = "US$"  # the seed has cents
LIMITS = {
    "min_amount_cents": ("amount", DOLLARS),
    "min_transactions_1h": ("transactions of the card in the last hour", ""),
    "min_transactions_24h": ("transactions of the card in the last 24 hours", ""),
    "min_declines_24h": ("declines of the card in the last 24 hours", ""),
    "min_z_score": ("standard deviations above what the card usually buys", ""),
    "min_idle_days": ("days since the card was last used", ""),
    "min_merchant_labelled": ("labelled transactions of the merchant in 30 days", ""),
    "min_merchant_fraud_bp": ("fraud rate of the merchant in 30 days", "bp"),
    "min_mcc_labelled": ("labelled transactions of the category in 30 days", ""),
    "min_mcc_fraud_bp": ("fraud rate of the category in 30 days", "bp"),
    "max_minutes_since_presence": ("minutes since the card was last present", ""),
}
NEEDS = {
    "has_to_be_bad_card_data": "wrong card number, security code or expiry date",
    "has_to_be_foreign": "merchant abroad",
    "has_to_be_new_merchant": "merchant new to the card",
    "has_to_be_new_mcc": "category new to the card",
    "has_to_be_new_place": "state or country new to the card",
    "has_to_change_country": "card last present in another country",
    "has_to_be_large_after_small": "$100 or more within an hour after $5 or less",
    "has_to_be_night": "from 00:00 to 05:59",
}
# More transactions than this are tried on one card of so many, unless all are asked for.
MOST_ROWS = 2_000_000
SAMPLE = 8

Cells = dict[str, str]


def show(reader: Reader, chosen: Filters) -> None:
    """The rules; one of them with what it asks for to change; what the change would have raised."""
    parts.title("Try a rule")
    rules = reader.rows(RULES)
    if rules.empty:
        parts.nothing("There are no rules.")
        return
    shown = filters.days(reader, chosen, timedelta(days=31))
    if shown is None:
        parts.nothing("No day has landed yet.")
        return
    ended = pd.to_datetime(rules.valid_until_date) <= pd.Timestamp(shown.landed_last)
    rules = rules.assign(
        in_force=ended.map({True: "no", False: "yes"}),
        asks_for=[", ".join(in_words(cells_of(text))) for text in rules.cells],
        channel=rules.channel.fillna("both"),
    )
    parts.note(
        "A click on a rule opens it below. Nothing is changed here: the line at the end is for the seed. A change is tried on "
        "all of the data: no filter is applied."
    )
    clicked = parts.table(
        rules, "rules to try", 600, rule_name="Rule", weight=parts.identity("Weight"), action="Action", in_force="In force",
        kinds="Looks at", channel="Channel", asks_for=parts.sentences("Asks for"),
    )  # fmt: skip
    asked = st.query_params.get("rule")
    if clicked is not None and clicked[0].rule_name != asked:
        links.go("what_if", chosen, rule=clicked[0].rule_name)
    name = str(asked if asked in set(rules.rule_name) else rules.iloc[0].rule_name)
    before = cells_of(rules[rules.rule_name == name].iloc[0].cells)
    parts.heading(name)
    changed, min_score, every = _form(reader, before)
    if changed is None:
        return
    _outcome(reader, changed, min_score, every)
    parts.heading("The line of the seed")
    parts.note("In seeds/fraud_rules.csv in place of the line of this rule; then a plan of dev, before one of prod.")
    st.code(line_of(changed), language=None, wrap_lines=True)


def cells_of(text: str) -> Cells:
    """The cells of a rule by column, in the order of the seed; empty for what it does not ask for."""
    return dict(line.split("=", 1) for line in text.split("\n"))


def in_words(cells: Cells) -> list[str]:
    """What a rule asks for."""
    words = []
    for name, value in cells.items():
        if value and name in LIMITS:
            what, unit = LIMITS[name]
            amount = f"${int(value) / 100:,.2f}" if unit == DOLLARS else f"{value} {unit}".strip()
            words.append(f"{what} {_bound(name)} {amount}")
        elif value == "true" and name in NEEDS:
            words.append(NEEDS[name])
    return words


def line_of(cells: Cells) -> str:
    """The rule as a line of the seed."""
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow(cells.values())
    return file.getvalue()


def _bound(column: str) -> str:
    return "at least" if column.startswith("min_") else "at most"


def _form(reader: Reader, before: Cells) -> tuple[Cells | None, int, int]:
    """Asks for the change: the cells with it, None before it is asked for; the least score of an alert; one card of how many."""
    name, changed = before["rule_name"], dict(before)
    with st.container(border=True):
        first = st.columns(4)
        changed["weight"] = str(first[0].number_input("Weight", 1, 100, int(before["weight"]), key=f"{name} weight"))
        for number, column in enumerate([each for each in before if each in LIMITS and before[each]], 1):
            changed[column] = _number(first[number % 4], name, column, before[column])
        in_force = st.checkbox("In force to the end", value=not before["valid_until_date"], key=f"{name} in force")
        if in_force:
            changed["valid_until_date"] = ""
        with st.expander("Ask for something else"):
            needs = [each for each in before if each in NEEDS]
            asked = st.multiselect(
                "Has to be",
                needs,
                [each for each in needs if before[each] == "true"],
                format_func=lambda each: NEEDS[each].capitalize(),
                key=f"{name} needs",
            )
            changed |= {each: "true" if each in asked else "" for each in needs}
            others = st.columns(4)
            for number, column in enumerate(each for each in before if each in LIMITS and not before[each]):
                changed[column] = _number(others[number % 4], name, column, "")
        second = st.columns(2)
        scores = reader.rows(THRESHOLDS).min_score.tolist()
        min_score = second[0].selectbox("An alert is a score of at least", [1, *scores], key=f"{name} score")
        is_large = (reader.rows(SIZE).iloc[0].transaction_count or 0) > MOST_ROWS
        cards = {f"One of {SAMPLE} (quick)": SAMPLE, "All": 1}
        every = cards[second[1].selectbox("Cards", list(cards), index=0 if is_large else 1, key=f"{name} cards")]
        if not st.button("Try", key=f"{name} try", icon=":material/science:"):
            return None, 0, 0
    return changed, int(min_score), every


def _number(place: Any, rule: str, column: str, value: str) -> str:
    """A limit; empty asks for nothing."""
    what, unit = LIMITS[column]
    label = f"{what[0].upper()}{what[1:]}{f', {unit}' if unit else ''}, {_bound(column)}"
    is_money, is_decimal = unit == DOLLARS, "." in value or column.endswith(("_bp", "_score"))
    shown: float | int | None = None
    if value:
        shown = int(value) / 100 if is_money else float(value) if is_decimal else int(value)
    number = place.number_input(
        label, value=shown, min_value=0.0 if is_money or is_decimal else 0,
        step=1.0 if is_money else 0.1 if is_decimal else 1, key=f"{rule} {column}", placeholder=filters.ANY,
    )  # fmt: skip
    if number is None:
        return ""
    return f"{100 * number:.0f}" if is_money else f"{number:.2f}" if is_decimal else f"{number}"


def _outcome(reader: Reader, changed: Cells, min_score: int, every: int) -> None:
    rule = json.dumps({name: value for name, value in changed.items() if value})
    with st.spinner("Trying it on what was known then"):
        found = reader.rows(_TRIED, {"rule": rule, "min_score": min_score, "every": every})
    shown = found[["era"]].copy()
    for suffix in ("", "_then"):
        for name in ("alert_count", "value_caught", "value_disturbed"):
            found[f"{name}{suffix}"] = found[f"{name}{suffix}"].astype(float) * every
        shown[f"alerts{suffix}"] = found[f"alert_count{suffix}"] / found.day_count
        shown[f"precision{suffix}"] = (
            100 * found[f"fraud_count{suffix}"] / found[f"labelled_count{suffix}"].replace(0, None)
        )
        shown[f"caught{suffix}"] = found[f"value_caught{suffix}"]
        shown[f"disturbed{suffix}"] = found[f"value_disturbed{suffix}"]
    parts.heading("Today, and with the change")
    estimate = f"An estimate from one card of {every}, scaled up. " if every > 1 else ""
    parts.note(
        f"{estimate}All rules together, alerts with a score of at least {min_score}. Precision divides by labelled alerts. Rules "
        "were selected on the tuning era: its results are no evidence."
    )
    for row in shown.itertuples(index=False):
        st.markdown(f"**{parts.plain(row.era)}**")
        with st.container(horizontal=True):
            for name, label, spelled, more_is in (
                ("alerts", "Alerts a day", "{:,.2f}", "neither"),
                ("precision", "Precision, %", "{:,.2f}", "better"),
                ("caught", "Value caught", "${:,.0f}", "better"),
                ("disturbed", "Value of false positives", "${:,.0f}", "worse"),
            ):
                now, then = getattr(row, name), getattr(row, f"{name}_then")
                unknown = pd.isna(now) or pd.isna(then)
                change, colour, arrow = parts.delta(None if unknown else then - now, _UNITS[name], more_is)
                with st.container(border=True):
                    st.metric(
                        label, parts.NONE if pd.isna(then) else spelled.format(then), change, delta_color=colour,
                        delta_arrow=arrow,
                    )  # fmt: skip
                    parts.note(f"today {parts.NONE if pd.isna(now) else spelled.format(now)}")


# Without a unit a change is a whole number.
_UNITS = {"alerts": "a day", "precision": "pp", "caught": "", "disturbed": ""}
