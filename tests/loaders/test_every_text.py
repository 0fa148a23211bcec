"""Any text in any column of any source: a row of its dimension or fact, in quarantine with a reason, or refused; never an error.

Files are landed, and every model of the project is run over them on PostgreSQL, with its primary key and its audits, over ranges
of days.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from hypothesis import HealthCheck, Phase, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from foundation import database
from loaders import duplicates
from loaders.reporting import FileOutcome
from loaders.sources import SOURCES
from meshkeys import declarations
from revops import bootstrap, sqlmesh_project
from revops import settings as revops_settings
from revops.desk import decisions
from revops.scoring import scorecards
from tests.conftest import ROOT
from tests.loaders.warehouse import Query

if TYPE_CHECKING:
    from sqlmesh import Context

NOW = date(2010, 1, 6)
DAYS = (date(2000, 1, 1), NOW - timedelta(days=1))
# The whole at once, as a first build asks for it, and piece by piece.
SPLITS = ((DAYS,), ((DAYS[0], DAYS[0]), (date(2000, 1, 2), date(2010, 1, 1)), (date(2010, 1, 2), DAYS[1])))
RECORDS = {
    "users": "dimensions.dim_users", "cards": "dimensions.dim_cards", "mcc_codes": "dimensions.dim_mcc",
    "fraud_labels": "facts.fct_fraud_labels",
}  # fmt: skip
FIRST = (*RECORDS.values(), "quality.quarantined_records")
BY_DAY = ("facts.fct_transactions", "quality.quarantined_transactions")
AFTER = (
    "dimensions.dim_dates", "facts.fct_reversals", "facts.fct_outcomes", "facts.fct_card_months",
    "facts.fct_card_place_months", "facts.fct_merchant_months", "facts.fct_merchant_years",
    "dimensions.dim_merchants", "facts.fct_scorecards", "features.transaction_features", "features.rule_hits",
    "features.transaction_scores",
    "serving.fraud_alerts", "serving.rule_performance", "serving.scorecards", "serving.scorecard_scores",
    "serving.daily_revenue", "serving.revenue_by_merchant_category", "serving.revenue_by_state",
    "serving.decline_analysis", "serving.client_activity", "serving.fraud_by_hour", "serving.fraud_by_geography",
    "serving.fraud_by_channel_month", "serving.fraud_by_merchant_category", "serving.merchant_risk", "serving.card_risk",
    "serving.network_monitors", "serving.monthly_executive_summary", "serving.data_freshness",
    "serving.enriched_transactions", "serving.authorisation", "serving.active_clients", "serving.issuer_revenue",
    "serving.issuer_revenue_by_place", "serving.card_lifecycle", "serving.client_value", "serving.client_cohorts",
    "serving.fraud_by_card_age", "serving.fraud_runs", "serving.compromise_points", "serving.rule_overlap",
    "serving.alert_capacity", "serving.seasonality", "serving.dim_date", "serving.dim_client", "serving.dim_card",
    "serving.dim_category", "serving.dim_merchant", "serving.dim_place", "serving.fct_transaction",
    "facts.fct_decisions", "serving.alert_decisions", "serving.fraud_rules", "serving.rule_reviews",
    "serving.interchange_rates", "serving.monitor_thresholds",
)  # fmt: skip
SCHEMAS = ("staging", "dimensions", "facts", "quality", "features", "serving", "seeds")

SOUND: dict[str, dict[str, str]] = {
    "users": {
        "id": "1", "current_age": "53", "retirement_age": "66", "birth_year": "1966", "birth_month": "11",
        "gender": "Female", "address": "462 Rose Lane", "latitude": "34.15", "longitude": "-117.76",
        "per_capita_income": "$29278", "yearly_income": "$59696", "total_debt": "$127613", "credit_score": "787",
        "num_credit_cards": "5",
    },
    "cards": {
        "id": "1", "client_id": "1", "card_brand": "Visa", "card_type": "Debit", "card_number": "4344676511950444",
        "expires": "12/2022", "cvv": "623", "has_chip": "YES", "num_cards_issued": "2", "credit_limit": "$24295",
        "acct_open_date": "09/2002", "year_pin_last_changed": "2008", "card_on_dark_web": "No",
    },
    "mcc_codes": {"mcc": "5812", "description": "Eating Places"},
    "fraud_labels": {"transaction_id": "1", "is_fraud": "Yes"},
    "transactions": {
        "id": "1", "date": "2010-01-01 00:01:00", "client_id": "1", "card_id": "1", "amount": "$-77.00",
        "use_chip": "Swipe Transaction", "merchant_id": "59935", "merchant_city": "Beulah", "merchant_state": "ND",
        "zip": "58523.0", "mcc": "5812", "errors": "",
    },
}  # fmt: skip
ODD = [
    "", " ", "-", "0", "-0", "00012", "1", "2", "-1", "1e5", "1.0", "NaN", "nan", "Infinity", "-infinity", "now", "epoch", "null",
    "2147483647", "-2147483648", "2147483648", "9223372036854775807", "9223372036854775808", "1" * 40, "1" * 3000, "x" * 3000,
    "٣", "\x01", "\t", "a\nb", "'; DROP TABLE raw.users; --", "{}", "\\N", "%s", "YES", "Yes", "no", "true",
    "2010-01-02 10:00:00", "2010-01-01 10:00", "2010-01-02", "2010-01-02 9:05:00", "2010-01-01 24:00:00", "2010-01-02T10:00:00",
    " 2010-01-02 10:00:00", "2010-01-02 10:00:00 ", "-2010-01-02 10:00:00", "12010-01-02 10:00:00", "2010-01-02 10:00:00 BC",
    "2010-02-30 10:00:00", "1999-12-31 23:59:59", "0001-01-01 00:00:00", "2010-01-06 00:00:00", "9999-12-31 23:59:59",
    "$0.00", "$-0.00", "$00012.00", "$12.34", "$1000000.00", "$-1000000.00", "$1000000.01", "$30370005.00", "$9999999999.99",
    "$NaN", "$1e5", "$1e5.00", "$5", "$-5", "$9999999999", "$99999999999", "$" + "9" * 3000 + ".00",
    "12/9999", "01/0001", "13/2000", "00/2000", "09/2002", "999.96", "-999.999999", "90.06", "180.01", "1e309",
    "0000", "1899", "9999", "851", "Italy", "ga", "ZZ", "ONLINE", "UNKNOWN", "Georgia", "Bad PIN", "Bad PIN,Chip Melted",
    "No Error", "Chip Transaction", "Online Transaction", "Foo",
]  # fmt: skip
any_text = st.sampled_from(ODD) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
)


@st.composite
def _rows(draw: st.DrawFn, relation: str) -> list[dict[str, str]]:
    """Sound rows with numbers of their own, and others in which one or two columns hold anything."""
    sound = SOUND[relation]
    key = duplicates.KEYS[relation]
    rows = [{**sound, key: number} for number in ((sound[key],) if relation == "mcc_codes" else ("1", "2", "3"))]
    changes = st.dictionaries(st.sampled_from(sorted(sound)), any_text, min_size=1, max_size=2)
    for number, changed in enumerate(draw(st.lists(changes, max_size=12)), start=10):
        rows.append({**sound, key: str(number), **changed})
    return rows


def _every_odd_text(relation: str) -> list[dict[str, str]]:
    """Each odd text in each column, in a row of its own."""
    sound, key = SOUND[relation], duplicates.KEYS[relation]
    first = [{**sound, key: number} for number in ((sound[key],) if relation == "mcc_codes" else ("1", "2", "3"))]
    odd = [{column: text} for column in sound for text in ODD]
    return first + [{**sound, key: str(number), **changed} for number, changed in enumerate(odd, start=10_000)]


class _EveryOddText(dict[str, list[dict[str, str]]]):
    """Files with each odd text in each column; a failure shows its name instead of megabytes."""

    def __init__(self) -> None:
        super().__init__({relation: _every_odd_text(relation) for relation in SOURCES})

    def __repr__(self) -> str:
        return "_EveryOddText()"


files_of_all = st.fixed_dictionaries({relation: _rows(relation) for relation in SOURCES})


def _write(folder: Path, files: dict[str, list[dict[str, str]]]) -> None:
    folder.mkdir(exist_ok=True)
    for relation in ("users", "cards", "transactions"):
        with (folder / f"{relation}_data.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, SOUND[relation], lineterminator="\n")
            writer.writeheader()
            writer.writerows(files[relation])
    labels = {row["transaction_id"]: row["is_fraud"] for row in files["fraud_labels"]}
    (folder / "train_fraud_labels.json").write_text(json.dumps({"target": labels}, ensure_ascii=False))
    codes = {row["mcc"]: row["description"] for row in files["mcc_codes"]}
    (folder / "mcc_codes.json").write_text(json.dumps(codes, ensure_ascii=False))


class Project:
    """All models, rendered once, and run on a database one after the other."""

    def __init__(self, context: Context) -> None:
        self.models = {model.name: model for model in context.models.values()}
        assert {name for name, model in self.models.items() if model.is_sql and not name.startswith("staging.")} == {
            *FIRST, *BY_DAY, *AFTER,
        }  # fmt: skip
        self._rendered: dict[tuple[str, date, date], str] = {}

    def query(self, name: str, first: date, last: date) -> str:
        key = name, first, last
        if key not in self._rendered:
            times = {"start": str(first), "end": str(last), "execution_time": str(NOW)}
            self._rendered[key] = self.models[name].render_query_or_raise(**times).sql(dialect="postgres")
        return self._rendered[key]

    def failed_audits(self, run: Query, first: date, last: date) -> list[str]:
        """The audits that would stop a build of these days."""
        failed = []
        for name in (*FIRST, *BY_DAY, *AFTER):
            for audit, arguments in self.models[name].audits_with_args:
                key = f"{audit.name} {arguments} of {name}", first, last
                if key not in self._rendered:
                    times = {"start": str(first), "end": str(last), "execution_time": str(NOW)}
                    query = self.models[name].render_audit_query(audit, this_model=name, **times, **arguments)
                    self._rendered[key] = query.sql(dialect="postgres")
                is_blocking = audit.blocking and str(arguments.get("blocking", True)).lower() != "false"
                if is_blocking and run(f"SELECT 1 FROM ({self._rendered[key]}) AS audited LIMIT 1"):
                    failed.append(key[0])
        return failed

    def create(self, run: Query, name: str, first: date = DAYS[0], last: date = DAYS[1]) -> None:
        run(f"CREATE TABLE {name} AS {self.query(name, first, last)}")
        if key := declarations.of(self.models[name]).primary_key:
            run(f"ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(key)})")

    def build(self, run: Query, split: tuple[tuple[date, date], ...]) -> None:
        _drop(run, *(schema for schema in SCHEMAS if schema != "seeds"))
        for relation in (*SOURCES, "decisions", "scorecards"):
            run(f"CREATE VIEW staging.stg_{relation} AS {self.query(f'staging.stg_{relation}', *DAYS)}")
        for name in FIRST:
            self.create(run, name)
        for first, last in split:
            for name in BY_DAY:
                if first == split[0][0]:
                    self.create(run, name, first, last)
                else:
                    run(f"INSERT INTO {name} {self.query(name, first, last)}")
        for name in AFTER:
            self.create(run, name)


def _drop(run: Query, *schemas: str) -> None:
    for schema in schemas:
        run(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        run(f"CREATE SCHEMA {schema}")


@pytest.fixture(scope="module")
def project(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project's models."""
    home = tmp_path_factory.mktemp("home")
    environ = {
        "DB_CONNECTION_STRING": module_database_url,
        "REVOPS_HOME": str(home),
        "REVOPS_ENV_FILE": str(home / ".env"),
    }
    settings = revops_settings.load(environ, ROOT)
    with closing(database.connect(module_database_url)) as connection, connection, connection.cursor() as cursor:
        bootstrap.complete(cursor)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.child_environment(module_database_url, environ).items():
            patch.setenv(name, value)
        with closing(sqlmesh_project.context(settings)) as context:
            yield Project(context)


@pytest.fixture
def run(query: Query, database_url: str, project: Project) -> Iterator[Query]:
    """A function that queries a database that has the seeds."""
    _drop(query, *SCHEMAS)
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        decisions.create(cursor)
        scorecards.create(cursor)
    for path in sorted((ROOT / "seeds").glob("*.csv")):
        columns: dict[str, Any] = project.models[f"seeds.{path.stem}"].columns_to_types
        typed = ", ".join(f"{name} {of.sql(dialect='postgres')}" for name, of in columns.items())
        with connection, connection.cursor() as cursor, path.open(encoding="utf-8") as stream:
            cursor.execute(f"CREATE TABLE seeds.{path.stem} ({typed})")
            cursor.copy_expert(f"COPY seeds.{path.stem} FROM STDIN (FORMAT csv, HEADER)", stream)
    connection.close()
    yield query
    query(" ".join(f"DROP SCHEMA {schema} CASCADE;" for schema in SCHEMAS))


@hypothesis_settings(
    max_examples=6, phases=[Phase.explicit, Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=files_of_all, split=st.sampled_from(SPLITS))
@example(files=_EveryOddText(), split=SPLITS[0])
@example(files=_EveryOddText(), split=SPLITS[1])
def test_every_row_is_somewhere_once_and_no_text_is_an_error(
    files: dict[str, list[dict[str, str]]],
    split: tuple[tuple[date, date], ...],
    load: Callable[..., list[FileOutcome]],
    run: Query,
    project: Project,
    tmp_path: Path,
    database_url: str,
) -> None:
    _write(tmp_path / "files", files)
    load(tmp_path / "files", max_rejects=1)
    for outcome in run("SELECT relation, rows_read, rows_loaded, rows_rejected FROM ops.load_files"):
        assert outcome[1] == outcome[2] + outcome[3], outcome
    run(duplicates.DDL)
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        for relation in SOURCES:
            duplicates.mark(cursor, relation)
    connection.close()
    project.build(run, split)
    for first, last in split:
        assert project.failed_audits(run, first, last) == []
    for relation, table in RECORDS.items():
        landed, arrived, quarantined = run(
            f"SELECT (SELECT count(*) FROM raw.{relation}), (SELECT count(*) FROM {table}),"
            " (SELECT count(*) FROM quality.quarantined_records WHERE relation = %s AND reason IS NOT NULL)",
            relation,
        )[0]
        assert landed == arrived + quarantined, relation
    assert (
        run(
            "SELECT raw.transactions._file_id, raw.transactions._line_number FROM raw.transactions"
            " FULL JOIN (SELECT _file_id, _line_number FROM quality.quarantined_transactions WHERE reason IS NOT NULL"
            "   UNION ALL SELECT _file_id, _line_number FROM staging.stg_transactions AS staged"
            "   JOIN facts.fct_transactions AS facts ON facts.transaction_id = staged.transaction_id AND row_fault IS NULL"
            " ) AS found USING (_file_id, _line_number)"
            " GROUP BY 1, 2, raw.transactions._file_id, found._file_id"
            " HAVING count(*) <> 1 OR raw.transactions._file_id IS NULL OR found._file_id IS NULL"
        )
        == []
    )
    (facts,) = run("SELECT count(*) FROM facts.fct_transactions")[0]
    assert facts >= 3  # the rows that are sound stay so, whatever lies beside them
    for name in ("facts.fct_outcomes", "features.transaction_features", "serving.enriched_transactions"):
        assert run(f"SELECT count(*) FROM {name}") == [(facts,)], name
