"""What each rule, the score and a day's best cards are worth, one era beside the other, never blended."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from revops import demo_set
from revops.dashboard import charts, filters, parts
from revops.dashboard.filters import Days, Filters
from revops.dashboard.reader import Reader
from revops.dashboard.sections.transaction import GENERATED
from revops.terminal import display

BY_ERA = """
SELECT era, is_tuning, measured_kind, measured_name, SUM(alert_count) AS alert_count,
       SUM(labelled_alert_count) AS labelled_alert_count, SUM(fraud_alert_count) AS fraud_alert_count,
       SUM(fraud_count) AS fraud_count,
       ROUND(100.0 * SUM(fraud_alert_count) / NULLIF(SUM(labelled_alert_count), 0), 2) AS precision_percent,
       ROUND(100.0 * SUM(fraud_alert_count) / NULLIF(SUM(fraud_count), 0), 2) AS recall_percent,
       SUM(value_caught) AS value_caught, SUM(value_of_false_positives) AS value_of_false_positives
FROM serving.rule_performance
WHERE measured_kind = %(kind)s
GROUP BY era, is_tuning, measured_kind, measured_name
ORDER BY era, CASE measured_kind WHEN 'score' THEN LENGTH(measured_name) END, measured_name
"""

BY_REVIEW = """
SELECT era, measured_name, SUM(reviewed_alert_count) AS reviewed_alert_count, SUM(reviewed_fraud_count) AS reviewed_fraud_count,
       ROUND(100.0 * SUM(reviewed_fraud_count) / NULLIF(SUM(reviewed_alert_count), 0), 2) AS reviewed_precision_percent,
       SUM(labelled_count) AS labelled_count, SUM(fraud_count) AS fraud_count,
       ROUND(100.0 * SUM(fraud_count) / NULLIF(SUM(labelled_count), 0), 2) AS precision_percent,
       SUM(contradicted_count) AS contradicted_count
FROM serving.rule_reviews
WHERE measured_kind = %(kind)s
GROUP BY era, measured_kind, measured_name
ORDER BY era, CASE measured_kind WHEN 'score' THEN LENGTH(measured_name) END, measured_name
"""

OVERLAP = """
SELECT rule_name, other_rule_name, SUM(alert_count) AS alert_count, SUM(labelled_alert_count) AS labelled_alert_count,
       SUM(fraud_alert_count) AS fraud_alert_count,
       ROUND(100.0 * SUM(fraud_alert_count) / NULLIF(SUM(labelled_alert_count), 0), 2) AS precision_percent,
       SUM(value_caught) AS value_caught, SUM(value_of_false_positives) AS value_of_false_positives
FROM serving.rule_overlap
WHERE month_start >= %(since)s AND month_start < %(until)s
GROUP BY rule_name, other_rule_name
ORDER BY rule_name, other_rule_name <> 'all', other_rule_name <> 'none', alert_count DESC, other_rule_name
"""

CAPACITY = """
SELECT cards_a_day, SUM(day_count) AS day_count, SUM(days_over_capacity) AS days_over_capacity,
       SUM(alerted_cards) AS alerted_cards, SUM(reviewed_cards) AS reviewed_cards,
       SUM(labelled_reviewed_cards) AS labelled_reviewed_cards, SUM(defrauded_reviewed_cards) AS defrauded_reviewed_cards,
       ROUND(100.0 * SUM(defrauded_reviewed_cards) / NULLIF(SUM(labelled_reviewed_cards), 0), 2) AS precision_percent,
       SUM(defrauded_missed_cards) AS defrauded_missed_cards, SUM(value_caught) AS value_caught,
       SUM(value_missed) AS value_missed
FROM serving.alert_capacity
WHERE month_start >= %(since)s AND month_start < %(until)s
GROUP BY cards_a_day
ORDER BY cards_a_day
"""

# What is counted differs: transactions for rules and the score, cards of a day for cards. They are never drawn together.
KINDS = {"Rules": ("rule", "alerts (transactions)"), "Score": ("score", "alerts (transactions)"),
         "Cards a day": ("cards", "cards of a day"), "Scorecard": ("scorecard", "transactions with that score"),
         "Cards a day by scorecard": ("scorecard cards", "cards of a day")}  # fmt: skip
BACK = 12
OF_SCORECARDS = (
    "Each scorecard was trained on what was known before its month alone; months without one are left out. It raises no alert "
    "and is no part of the score."
)


def show(reader: Reader, chosen: Filters) -> None:
    """One of the views: the back-test by era, how rules overlap, what a number of cards a day is worth."""
    parts.title("Rules")
    of_days = {"Overlap": _overlap, "Capacity": _capacity}
    view = parts.segments("view", ["Back-test", *of_days])
    if view not in of_days:
        _back_test(reader)
    elif (shown := filters.days(reader, chosen, BACK)) is None:
        parts.nothing("No day has landed yet.")
    else:
        of_days[view](reader, chosen, shown)


def _back_test(reader: Reader) -> None:
    picked = parts.segments("measure", list(KINDS))
    kind, counted = KINDS[picked]
    found = reader.rows(BY_ERA, {"kind": kind})
    if found.empty:
        parts.nothing(
            f"No scorecard was trained. `{display.program()} train` does so: see docs/scorecards.md."
            if kind.startswith("scorecard")
            else "Nothing is measured yet."
        )
        return
    parts.note(
        f"A back-test by era, because fraud moved, of all of the data: no filter is applied. Counted: {counted}. "
        "Precision divides by labelled alerts, recall by all labelled fraud, a rule's by that of the kinds of transactions that "
        "it looks at. Rules were selected on the tuning era: its "
        "results are no evidence."
    )
    if kind.startswith("scorecard"):
        parts.note(OF_SCORECARDS)
        if demo_set.says_synthetic(reader.value(demo_set.MARK)):
            parts.note(GENERATED)
    eras = list(dict.fromkeys(found.era))
    for place, era in zip(st.columns(len(eras)), eras, strict=True):
        with place:
            parts.heading(era)
            of_era = found[found.era == era]
            measures = [
                of_era.assign(measure=name, percent=of_era[f"{name}_percent"].astype(float), divisor=of_era[divisor])
                for name, divisor in (("precision", "labelled_alert_count"), ("recall", "fraud_count"))
            ]
            parts.chart(charts.measures(pd.concat(measures)))
    parts.shown(
        reader, BY_ERA, {"kind": kind}, f"measured_{kind}",
        era="Era", is_tuning="Tuning", measured_name=parts.text("Measured", 185), alert_count=parts.count(counted.capitalize()),
        labelled_alert_count=parts.count("Labelled"), fraud_alert_count=parts.count("Fraud found"),
        fraud_count=parts.count("All fraud"), precision_percent=parts.rate("Precision, %"),
        recall_percent=parts.rate("Recall, %"), value_caught=parts.money("Value caught"),
        value_of_false_positives=parts.money("Value of false positives"),
    )  # fmt: skip
    if kind in ("rule", "score"):
        _reviews(reader, kind)


def _reviews(reader: Reader, kind: str) -> None:
    parts.heading("By review")
    parts.note(
        "Alerts that investigators decided on, all of the data: precision by their decisions beside precision by the labels of "
        "the same alerts. Somebody chose which to look at: they are no sample. Rules that are not in force are tried on them too."
    )
    parts.shown(
        reader, BY_REVIEW, {"kind": kind}, f"reviewed_{kind}", empty="No alert was decided to be fraud or not fraud yet.",
        era="Era", measured_name="Measured", reviewed_alert_count=parts.count("Reviewed"),
        reviewed_fraud_count=parts.count("Fraud by review"), reviewed_precision_percent=parts.rate("Precision by review, %"),
        labelled_count=parts.count("Of these labelled"), fraud_count=parts.count("Fraud by label"),
        precision_percent=parts.rate("Precision by label, %"), contradicted_count=parts.count("Label says otherwise"),
    )  # fmt: skip


def _overlap(reader: Reader, chosen: Filters, shown: Days) -> None:
    parts.heading("Which rules hit the same")
    parts.note(
        f"{shown}. Beside each rule, the alerts that another rule hit too; none: what this rule alone catches."
        + parts.in_months(shown, chosen, ())
    )
    parts.shown(
        reader, OVERLAP, filters.values(chosen, shown, in_months=True), "rule_overlap",
        rule_name="Rule", other_rule_name="And", alert_count=parts.count("Alerts"),
        labelled_alert_count=parts.count("Labelled"), fraud_alert_count=parts.count("Fraud found"),
        precision_percent=parts.rate("Precision, %"), value_caught=parts.money("Value caught"),
        value_of_false_positives=parts.money("Value of false positives"),
    )  # fmt: skip


def _capacity(reader: Reader, chosen: Filters, shown: Days) -> None:
    parts.heading("How many cards a day are worth a look")
    parts.note(
        f"{shown}. Cards that had an alert that day, those with the highest score first: fraud on a card without an alert is in "
        "none of these columns." + parts.in_months(shown, chosen, ())
    )
    parts.shown(
        reader, CAPACITY, filters.values(chosen, shown, in_months=True), "alert_capacity",
        cards_a_day=parts.count("Cards a day"), days_over_capacity=parts.count("Days over capacity"),
        day_count=parts.count("of days"), reviewed_cards=parts.count("Cards looked at"),
        alerted_cards=parts.count("of cards with alerts"), defrauded_reviewed_cards=parts.count("Defrauded"),
        precision_percent=parts.rate("Precision, %"), defrauded_missed_cards=parts.count("Defrauded, not looked at"),
        value_caught=parts.money("Value caught"), value_missed=parts.money("Value not looked at"),
    )  # fmt: skip
