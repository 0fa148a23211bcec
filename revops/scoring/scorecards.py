"""Owns the table of scorecards, to which rows are only added. Nothing that SQLMesh builds, drops or promotes is in here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from psycopg2 import sql
from psycopg2.extras import execute_values

from foundation.queries import first_row, relations_exist, scalar
from revops.ledger.landings import record

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

TABLE = "desk.scorecards"

_TABLE = """
CREATE SCHEMA IF NOT EXISTS desk;

CREATE TABLE desk.scorecards (
    scorecard_id bigint NOT NULL,
    version text NOT NULL CHECK (version ~ '^[a-p]{12}$'),
    month_start date NOT NULL CHECK (month_start = date_trunc('month', month_start)),
    trained_at timestamptz NOT NULL DEFAULT now(),
    training_from_date date NOT NULL,
    training_until_date date NOT NULL,
    fraud_count bigint NOT NULL,
    legitimate_count bigint NOT NULL,
    sampled_count bigint NOT NULL,
    training_auc_bp int NOT NULL,
    base_points int NOT NULL,
    feature text NOT NULL,
    bin int NOT NULL,
    at_least bigint,
    points int NOT NULL,
    PRIMARY KEY (scorecard_id, feature, bin),
    CHECK (training_from_date < training_until_date AND training_until_date < month_start)
);
COMMENT ON TABLE desk.scorecards IS
    'One row per scorecard, feature and bin, written by revops train; the last one of a month scores it';

CREATE OR REPLACE FUNCTION desk.refuse_change_of_scorecards() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS
$$
BEGIN
    RAISE EXCEPTION 'scorecards are not changed or deleted: train another one' USING ERRCODE = '55000';
END
$$;
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON desk.scorecards
    FOR EACH STATEMENT EXECUTE FUNCTION desk.refuse_change_of_scorecards();
CREATE TRIGGER no_truncation BEFORE TRUNCATE ON desk.scorecards
    FOR EACH STATEMENT EXECUTE FUNCTION desk.refuse_change_of_scorecards();
"""


@dataclass(frozen=True)
class Bin:
    """Values of a feature, and the points that they give; a number of -1 and no bound for the unknown."""

    feature: str
    number: int
    at_least: int | None
    points: int


@dataclass(frozen=True)
class Head:
    """What a scorecard is: for which month, and what it was trained on.

    Attributes:
        version: names what it was trained with; the same rows and settings have the same.
        month_start: the first day of the month that it scores.
        training_from: the first day that it was trained on.
        training_until: the first day after these.
        fraud_count: frauds among them.
        legitimate_count: transactions labelled as no fraud among them.
        sampled_count: of these, those that were read.
        training_auc_bp: the area under the ROC curve on its training rows, basis points.
    """

    version: str
    month_start: date
    training_from: date
    training_until: date
    fraud_count: int
    legitimate_count: int
    sampled_count: int
    training_auc_bp: int


_COLUMNS = (
    "version", "month_start", "training_from_date", "training_until_date", "fraud_count", "legitimate_count",
    "sampled_count", "training_auc_bp",
)  # fmt: skip


def create(cursor: Cursor) -> None:
    """Creates the table where it is missing."""
    if not relations_exist(cursor, TABLE):
        cursor.execute(_TABLE)


def current(cursor: Cursor, month: date) -> Head | None:
    """The scorecard that scores a month."""
    found = first_row(
        cursor,
        sql.SQL("SELECT {} FROM desk.scorecards WHERE month_start = %s ORDER BY scorecard_id DESC LIMIT 1").format(
            sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
        ),
        (month,),
    )
    return None if found is None else Head(*found)


def add(cursor: Cursor, head: Head, base_points: int, bins: Iterable[Bin]) -> None:
    """Adds a scorecard, in the caller's transaction, and notes that its month has to be scored again.

    The caller holds the warehouse's lock, so that no other one takes the same number.
    """
    number = scalar(cursor, "SELECT coalesce(max(scorecard_id), 0) + 1 FROM desk.scorecards")
    columns = ("scorecard_id", *_COLUMNS, "base_points", "feature", "bin", "at_least", "points")
    execute_values(
        cursor,
        sql.SQL("INSERT INTO desk.scorecards ({}) VALUES %s")
        .format(sql.SQL(", ").join(map(sql.Identifier, columns)))
        .as_string(cursor),
        [(number, *astuple(head), base_points, each.feature, each.number, each.at_least, each.points) for each in bins],
        page_size=1000,
    )
    record(cursor, TABLE, days_of(head.month_start), "trained")


def days_of(month: date) -> list[date]:
    """The days of a month."""
    return [month + timedelta(days=i) for i in range((next_month(month) - month).days)]


def next_month(month: date, count: int = 1) -> date:
    """The first day of the month so many months after this one; before it for a negative count."""
    number = month.year * 12 + month.month - 1 + count
    return date(number // 12, number % 12 + 1, 1)
