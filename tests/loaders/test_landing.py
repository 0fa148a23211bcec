"""Landing into PostgreSQL: what is in raw and ops afterwards, whatever came before."""

from __future__ import annotations

import gzip
import logging
import random
import shutil
import zipfile
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from loaders import file_landing, manifest, postgres, rows
from loaders.errors import DatabaseUnavailable, InputRefused, RevopsError, UsageError
from loaders.landing import land
from loaders.protect import KeyStore
from loaders.sources import SOURCES, UNDATED_DAY
from tests.loaders.made import CARDS_HEADER, HEADER, card, card_number, csv_file, transaction
from tests.loaders.warehouse import JAN_1, JAN_2, JAN_3, Query, assert_reconciled, days, everything


@pytest.mark.real
def test_the_published_files_land_to_the_row_and_the_cent(load: Any, query: Query, real_data: Path, size: str) -> None:
    outcomes = {outcome.relation: outcome for outcome in load(real_data)}
    for relation, source in SOURCES.items():
        assert query(f"SELECT count(*) FROM raw.{relation}") == [(outcomes[relation].rows_loaded,)]
        columns = query(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
            f"raw.{relation}",
        )
        assert [name for (name,) in columns] == [*source.landed_columns, *(name for name, _ in source.lineage_columns)]
    assert outcomes["users"].rows_loaded == 2000
    assert outcomes["cards"].rows_loaded == 6146
    assert outcomes["mcc_codes"].rows_loaded == 109
    lines = (real_data / "transactions_data.csv").read_text().splitlines()[1:]
    assert outcomes["transactions"].rows_loaded == len(lines)
    total = sum(Decimal(line.split(",")[4].replace("$", "")) for line in lines)
    assert outcomes["transactions"].amount_sum == total
    assert_reconciled(query)
    landed = query(
        "SELECT concat_ws(',', id, date, client_id, card_id, amount, use_chip, merchant_id, merchant_city,"
        " coalesce(merchant_state, ''), coalesce(zip, ''), mcc, coalesce(errors, '')), _line_number"
        " FROM raw.transactions ORDER BY _line_number"
    )
    assert [(row.replace('"', ""), number) for number, row in enumerate(lines, 2)] == landed


@pytest.mark.real
def test_the_same_bytes_again_change_nothing(load: Any, query: Query, real_data: Path, size: str) -> None:
    load(real_data)
    before = everything(query)
    assert {outcome.action for outcome in load(real_data)} == {"unchanged"}
    assert {outcome.action for outcome in load(real_data / "users_data.csv")} == {"unchanged"}
    assert everything(query) == before


@pytest.mark.real
def test_packed_and_renamed_copies_change_nothing(load: Any, query: Query, real_data: Path, tmp_path: Path) -> None:
    load(real_data)
    before = everything(query)
    (tmp_path / "copies").mkdir()
    for name in ("cards_data.csv", "train_fraud_labels.json"):
        (tmp_path / "copies" / f"{name}.gz").write_bytes(gzip.compress((real_data / name).read_bytes()))
    shutil.copyfile(real_data / "users_data.csv", tmp_path / "copies" / "users_copy.csv")
    with zipfile.ZipFile(tmp_path / "copies" / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in real_data.iterdir():
            archive.write(path, path.name)
    outcomes = load(tmp_path / "copies")
    assert {outcome.action for outcome in outcomes} == {"duplicate"}
    assert all("landed as" in outcome.note for outcome in outcomes)
    assert everything(query) == before


@pytest.mark.parametrize("packing", ["gz", "zip", "zst", "parquet"])
def test_every_format_lands_the_same_rows(load: Any, query: Query, tmp_path: Path, packing: str) -> None:
    rows = [transaction(n, errors='"Bad PIN,Bad CVV"' if n % 3 else "", zip="") for n in range(5000)]
    plain = csv_file(tmp_path / "plain", "transactions.csv", rows)
    folder = tmp_path / "packed"
    folder.mkdir()
    if packing == "gz":
        (folder / "transactions.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    elif packing == "zip":
        with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(plain, "deep/transactions.csv")
    elif packing == "zst":
        import zstandard

        (folder / "transactions.csv.zst").write_bytes(zstandard.ZstdCompressor().compress(plain.read_bytes()))
    else:
        import pyarrow as pa
        import pyarrow.csv as pa_csv
        import pyarrow.parquet as pq

        table = pa_csv.read_csv(plain, convert_options=pa_csv.ConvertOptions(column_types={"mcc": pa.int32()}))
        pq.write_table(table, folder / "transactions.parquet", row_group_size=1000)
    (outcome,) = load(folder)
    assert outcome.rows_loaded == 5000
    assert_reconciled(query)
    assert query("SELECT id, date, amount, errors, zip, mcc FROM raw.transactions WHERE _line_number = 3") == [
        ("1", "2010-01-01 00:01:00", "$-77.00", "Bad PIN,Bad CVV", None, "5499")
    ]
    assert {outcome.action for outcome in load(folder)} == {"unchanged"}


def test_a_changed_file_replaces_its_own_rows_and_touches_only_the_days_that_differ(
    load: Any, query: Query, tmp_path: Path, size: str
) -> None:
    folder = tmp_path / "data"
    rows = [transaction(n, date=f"2010-01-0{1 + n % 3} 00:00:00") for n in range(30)]
    csv_file(folder, "transactions_1.csv", rows)
    csv_file(folder, "transactions_2.csv", [transaction(99)])
    load(folder)
    assert days(query) == [JAN_1, JAN_2, JAN_3]
    rows[1] = transaction(1, date="2010-01-02 00:00:00", amount="$1.00")  # corrected
    csv_file(folder, "transactions_1.csv", rows)
    assert [outcome.action for outcome in load(folder)] == ["replaced", "unchanged"]
    assert days(query) == [JAN_2]
    rows[0], rows[3] = rows[3], rows[0]  # another order is no other content
    csv_file(folder, "transactions_1.csv", rows)
    load(folder)
    assert days(query) == []
    del rows[2]  # removed from the third day
    csv_file(folder, "transactions_1.csv", [*rows, transaction(50, date="2010-02-30 00:00:00")])
    load(folder)
    assert days(query) == [UNDATED_DAY, JAN_3]
    assert_reconciled(query)
    assert query("SELECT count(*), count(DISTINCT _file_id) FROM raw.transactions") == [(31, 2)]
    assert query("SELECT action, count(*) FROM ops.load_history GROUP BY 1 ORDER BY 1") == [
        ("landed", 5),
        ("replaced", 3),
    ]


def test_a_file_may_grow_from_the_shared_partition_into_its_own_and_back(
    load: Any, query: Query, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for large, count in ((False, 1), (True, 2), (True, 3), (False, 4)):
        monkeypatch.setattr(file_landing, "LARGE_FILE_BYTES", 0 if large else 10**9)
        csv_file(tmp_path / "data", "transactions.csv", [transaction(n) for n in range(count)])
        load(tmp_path / "data")
        assert query("SELECT count(*), min(_file_id) >= %s FROM raw.transactions", manifest.FIRST_LARGE_FILE_ID) == [
            (count, large)
        ]
        partitions = query("SELECT count(*) FROM pg_inherits WHERE inhparent = 'raw.transactions'::regclass")
        assert partitions == [(2 if large else 1,)]
    assert_reconciled(query)


def test_views_on_raw_survive_every_replacement(load: Any, query: Query, tmp_path: Path, size: str) -> None:
    csv_file(tmp_path / "data", "transactions.csv", [transaction(1)])
    load(tmp_path / "data")
    query("CREATE VIEW public.pinned AS SELECT * FROM raw.transactions")
    csv_file(tmp_path / "data", "transactions.csv", [transaction(1), transaction(2)])
    load(tmp_path / "data")
    assert query("SELECT count(*) FROM public.pinned") == [(2,)]


def test_rejects_are_kept_masked_and_counted(load: Any, query: Query, tmp_path: Path, size: str) -> None:
    rows: list[str | bytes] = [transaction(n) for n in range(3000)]
    rows[5] = transaction(5) + f",{card_number(3)}"
    rows[7] = transaction(7).encode() + b"\xff\0"
    csv_file(tmp_path / "data", "transactions.csv", rows)
    (outcome,) = load(tmp_path / "data")
    assert (outcome.rows_read, outcome.rows_loaded, outcome.rows_rejected) == (3000, 2998, 2)
    assert_reconciled(query)
    rejects = query("SELECT line_number, reason, raw_line, file_name FROM ops.rejected_rows ORDER BY 1")
    assert [reject[:2] for reject in rejects] == [(7, "13 fields instead of 12"), (9, "not valid UTF-8")]
    assert rejects[0][2] == transaction(5) + ",************" + card_number(3)[-4:]
    assert rejects[1][2] == transaction(7) + "\\xff\\x00"
    assert rejects[0][3] == "transactions.csv"


def test_too_many_rejects_refuse_the_file_and_keep_what_stood_there(
    load: Any, query: Query, tmp_path: Path, size: str
) -> None:
    csv_file(tmp_path / "data", "transactions.csv", [transaction(n) for n in range(10)])
    load(tmp_path / "data")
    before = everything(query)
    csv_file(tmp_path / "data", "transactions.csv", [transaction(n) for n in range(990)] + ["bad"] * 10)
    with pytest.raises(InputRefused, match="10 of 1,000 rows cannot be landed") as caught:
        load(tmp_path / "data")
    assert caught.value.line == 992
    assert everything(query) == before
    (outcome,) = load(tmp_path / "data", max_rejects=0.01)
    assert outcome.rows_rejected == 10
    assert_reconciled(query)


def test_very_many_rejects_are_written_in_parts(load: Any, query: Query, tmp_path: Path, size: str) -> None:
    rows = [transaction(n) if n % 2 else "bad" for n in range(20_000)]
    csv_file(tmp_path / "data", "transactions.csv", rows)
    load(tmp_path / "data", max_rejects=1.0)
    assert query("SELECT rows_loaded, rows_rejected FROM ops.load_files") == [(10_000, 10_000)]
    assert_reconciled(query)


def test_a_refused_file_does_not_keep_the_others_from_landing(load: Any, query: Query, tmp_path: Path) -> None:
    csv_file(tmp_path / "data", "transactions_1.csv", [transaction()], header="id,data")
    csv_file(tmp_path / "data", "transactions_2.csv", [transaction()])
    (tmp_path / "data" / "transactions_3.csv.gz").write_bytes(gzip.compress(HEADER.encode())[:-4])
    (tmp_path / "data" / "users_data.csv").write_bytes(b"")
    with pytest.raises(InputRefused):
        load(tmp_path / "data")
    assert query("SELECT name FROM ops.load_files") == [("transactions_2.csv",)]
    assert query("SELECT count(*) FROM pg_class WHERE relname LIKE 'transactions\\_f%%'") == [(0,)]


def test_a_hopeless_file_is_given_up_early(load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    write = manifest.write_rejects
    monkeypatch.setattr(manifest, "write_rejects", lambda *values: (written.append(len(values[-1])), write(*values)))
    csv_file(tmp_path / "data", "transactions.csv", [transaction().replace(",", ";")] * 200_000)
    with pytest.raises(InputRefused, match="1 fields instead of 12"):
        load(tmp_path / "data")
    assert sum(written) < 60_000


def test_a_hopeless_packed_file_is_given_up_early(load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    write = manifest.write_rejects
    monkeypatch.setattr(manifest, "write_rejects", lambda *values: (written.append(len(values[-1])), write(*values)))
    rows = [f'{random.getrandbits(64)},"' for _ in range(400_000)]
    path = csv_file(tmp_path / "data", "transactions.csv", rows)
    (tmp_path / "data" / "transactions.csv.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    path.unlink()
    with pytest.raises(InputRefused, match="a quote is not closed"):
        load(tmp_path / "data")
    assert sum(written) < 200_000


def test_a_file_of_line_ends_is_counted_by_blocks(load: Any, query: Query, tmp_path: Path) -> None:
    path = csv_file(tmp_path, "transactions.csv", [transaction(1)])
    with path.open("ab") as out:
        out.write(b"\r\n" * 4_000_000 + transaction(2).encode() + b"\n")
    load(path)
    assert query("SELECT id, _line_number FROM raw.transactions ORDER BY 2") == [("1", 2), ("2", 4_000_003)]


def test_a_lone_file_of_no_relation_is_refused(load: Any, tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="belongs to a relation"):
        load(csv_file(tmp_path, "notes.csv", ["1"], header="a;b"))


def test_a_row_of_the_day_that_stands_for_no_day_and_a_row_without_one_land_together(
    load: Any, query: Query, tmp_path: Path, size: str
) -> None:
    rows = [transaction(1, date="2000-01-01 00:00:00"), transaction(2, date="soon")]
    load(csv_file(tmp_path, "transactions_data.csv", rows))
    assert days(query) == [UNDATED_DAY]
    assert query("SELECT undated_rows FROM ops.load_files") == [(1,)]


def test_a_day_is_found_without_reading_the_other_days(
    load: Any, query: Query, database_url: str, tmp_path: Path, size: str
) -> None:
    ten_years = [f"{2010 + year}-{month:02d}-15" for year in range(10) for month in range(1, 13)]
    rows = [
        transaction(place, date=f"{day} 10:00:00")
        for place, day in enumerate(day for day in ten_years for _ in range(100))
    ]
    load(csv_file(tmp_path, "transactions_data.csv", rows))
    with closing(psycopg2.connect(database_url)) as connection, connection, connection.cursor() as cursor:
        postgres.index_days(cursor, SOURCES["transactions"])
    query("ANALYZE raw.transactions")
    (pages,) = query(
        "SELECT sum(pg_relation_size(inhrelid) / 8192)::int FROM pg_inherits WHERE inhparent = 'raw.transactions'::regclass"
    )[0]
    one_day = "SELECT * FROM raw.transactions WHERE date BETWEEN '2015-06-15' AND '2015-06-15 24'"
    ((plan,),) = query(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {one_day}")
    assert plan[0]["Plan"]["Actual Rows"] == 100
    read = plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    assert read < pages / 4


def test_days_are_found_by_index_whatever_the_collation_of_the_database(
    load: Any, query: Query, tmp_path: Path, size: str
) -> None:
    load(csv_file(tmp_path, "transactions_data.csv", [transaction()]))
    assert query(
        "SELECT DISTINCT attcollation::regcollation::text FROM pg_attribute WHERE attname = 'date' AND attrelid IN"
        " (SELECT 'raw.transactions'::regclass UNION ALL SELECT inhrelid FROM pg_inherits)"
    ) == [('"C"',)]


def test_duplicate_ids_land_all_the_same(load: Any, query: Query, tmp_path: Path) -> None:
    csv_file(tmp_path / "data", "transactions_1.csv", [transaction(1), transaction(1)])
    csv_file(tmp_path / "data", "transactions_2.csv", [transaction(1), transaction(2)])
    load(tmp_path / "data")
    assert query("SELECT count(*) FROM raw.transactions") == [(4,)]


def test_pruning_retires_what_is_gone_and_only_when_asked(load: Any, query: Query, tmp_path: Path, size: str) -> None:
    folder = tmp_path / "data"
    csv_file(folder, "transactions_1.csv", [transaction(1)])
    gone = csv_file(folder, "transactions_2.csv", [transaction(2, date="2010-01-02 00:00:00")])
    csv_file(folder, "cards.csv", [card()], header=CARDS_HEADER)
    load(folder)
    days(query)
    gone.unlink()
    (folder / "cards.csv").unlink()
    load(folder)
    assert query("SELECT count(*) FROM raw.transactions") == [(2,)]
    assert days(query) == []
    with pytest.raises(UsageError, match="folder"):
        load(folder / "transactions_1.csv", prune=True)
    outcomes = load(folder, prune=True, only=["transactions"])
    assert [(outcome.name, outcome.action) for outcome in outcomes] == [
        ("transactions_1.csv", "unchanged"),
        ("transactions_2.csv", "retired"),
    ]
    assert days(query) == [JAN_2]
    assert query("SELECT count(*) FROM raw.transactions") == [(1,)]
    assert query("SELECT count(*) FROM raw.cards") == [(1,)]
    assert_reconciled(query)


def test_pruning_follows_a_renamed_file(load: Any, query: Query, tmp_path: Path) -> None:
    path = csv_file(tmp_path / "data", "transactions_old.csv", [transaction(1)])
    load(tmp_path / "data")
    rows = query("SELECT * FROM raw.transactions")
    path.rename(path.with_name("transactions_new.csv"))
    assert [outcome.action for outcome in load(tmp_path / "data", prune=True)] == ["duplicate", "renamed"]
    assert query("SELECT name FROM ops.load_files") == [("transactions_new.csv",)]
    assert query("SELECT * FROM raw.transactions") == rows
    assert [outcome.action for outcome in load(tmp_path / "data", prune=True)] == ["unchanged"]


def test_no_card_number_and_no_security_code_is_in_the_database_or_the_log(
    load: Any, query: Query, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    pans = [card_number(n, luhn=n % 2 == 0) for n in range(40)]
    rows = [card(n, pan, cvv="8642") for n, pan in enumerate(pans)]
    rows[10] += ","
    rows[11] = rows[11].replace(",", ";")
    rows[12] = '"' + rows[12]
    rows[13] = card(13, pans[13] + "0000", cvv="8642")
    csv_file(tmp_path / "data", "cards.csv", rows, header=CARDS_HEADER)
    csv_file(tmp_path / "data", f"transactions {pans[2]}.csv", [transaction(merchant_city=pans[4]), transaction(1)])
    with pytest.raises(RevopsError) as caught:
        load(tmp_path / "data")
    load(tmp_path / "data", max_rejects=0.9)
    assert query("SELECT count(*), count(DISTINCT card_token), min(length(card_token)) FROM raw.cards") == [
        (36, 36, 64)
    ]
    seen = str(everything(query)) + caplog.text + str(caught.value) + repr(caught.value)
    for pan in pans:
        assert pan not in seen
    assert "8642" not in seen
    assert_reconciled(query)


def test_the_key_of_the_first_cards_is_the_key_of_all(load: Any, query: Query, tmp_path: Path) -> None:
    csv_file(tmp_path / "data", "cards.csv", [card(1)], header=CARDS_HEADER)
    load(tmp_path / "data")
    (tmp_path / "key" / "pan.key").unlink()
    before = everything(query)
    csv_file(tmp_path / "data", "cards.csv", [card(1), card(2)], header=CARDS_HEADER)
    with pytest.raises(UsageError, match="missing"):
        load(tmp_path / "data")
    with pytest.raises(UsageError, match="not the one"):
        load(tmp_path / "data", pan_key=KeyStore(tmp_path / "none", {"REVOPS_PAN_KEY": "z" * 32}))
    assert everything(query) == before


def test_names_from_outside_are_data(load: Any, query: Query, tmp_path: Path, size: str) -> None:
    names = ['x"; drop table y;--.csv', "ünï 東京 '%s' {0}.csv", "a\nb.csv"]
    for number, name in enumerate(names):
        csv_file(tmp_path / "data", name, [transaction(number)])
    load(tmp_path / "data")
    assert {outcome.action for outcome in load(tmp_path / "data")} == {"unchanged"}
    assert query("SELECT name FROM ops.load_files ORDER BY 1") == [
        (name,) for name in sorted(["a\\nb.csv", names[1], names[0]])
    ]


def test_nothing_to_land_an_unknown_relation_and_an_unreachable_database_are_told(load: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(UsageError, match="no file to land"):
        load(tmp_path / "data")
    with pytest.raises(UsageError, match="no relation"):
        load(tmp_path / "data", only=["transaction"])
    csv_file(tmp_path / "data", "transactions.csv", [])
    with pytest.raises(DatabaseUnavailable) as caught:
        land("postgresql://someone:hunter2@127.0.0.1:1/none", tmp_path / "data")
    assert "hunter2" not in str(caught.value)


def test_two_connections_land_the_same_as_one(
    load: Any, query: Query, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from loaders import landing

    monkeypatch.setattr(landing, "WORTH_A_CONNECTION", 0)
    csv_file(tmp_path / "data", "transactions.csv", [transaction(n) for n in range(20_000)])
    csv_file(tmp_path / "data", "cards.csv", [card(n) for n in range(500)], header=CARDS_HEADER)
    labels = ", ".join(f'"{n}": "No"' for n in range(20_000))
    (tmp_path / "data" / "labels.json").write_text(f'{{"target": {{{labels}}}}}')
    csv_file(tmp_path / "data", "users.csv", [], header="wrong")
    with pytest.raises(InputRefused, match="users"):
        load(tmp_path / "data")
    assert query("SELECT relation, rows_loaded FROM ops.load_files ORDER BY 1") == [
        ("cards", 500),
        ("fraud_labels", 20_000),
        ("transactions", 20_000),
    ]
    assert_reconciled(query)


HEADERS_ALONE = {
    "transactions_2.csv": HEADER + "\n",
    "transactions_3.csv": HEADER + "\r\n\r\n,,,,,,,,,,,\r\n",
    "cards_2.csv": CARDS_HEADER,
    "labels_2.json": '{"target": {}}',
    "labels_3.csv": "id,label\n",
    "mcc_2.json": "{}",
}


@pytest.mark.parametrize("name", list(HEADERS_ALONE))
def test_a_file_without_a_row_is_refused_and_takes_no_row_away(
    name: str, load: Any, query: Query, tmp_path: Path
) -> None:
    csv_file(tmp_path / "data", "transactions.csv", [transaction(1)])
    (tmp_path / "data" / name).write_text(HEADERS_ALONE[name], newline="")
    for options in ({}, {"max_rejects": 1.0}):
        with pytest.raises(InputRefused, match=f"{name}'.*holds no r") as caught:
            load(tmp_path / "data", **options)
        assert not caught.value.others
    assert query("SELECT name, rows_loaded FROM ops.load_files") == [("transactions.csv", 1)]
    csv_file(tmp_path / "data", "transactions.csv", [])
    with pytest.raises(InputRefused, match="holds no row"):
        load(tmp_path / "data" / "transactions.csv", replace=True)
    assert query("SELECT count(*) FROM raw.transactions") == [(1,)]


def test_a_file_of_nothing_but_rejects_is_refused_and_takes_no_row_away(
    load: Any, query: Query, tmp_path: Path
) -> None:
    csv_file(tmp_path, "transactions.csv", [transaction(1)])
    load(tmp_path)
    csv_file(tmp_path, "transactions.csv", ["x,y", "z"])
    with pytest.raises(InputRefused, match="none of its 2 rows can be landed, the first: 2 fields"):
        load(tmp_path, max_rejects=1, replace=True)
    assert query("SELECT count(*) FROM raw.transactions") == [(1,)]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("line", ["x", '"'])
def test_a_file_of_a_great_many_bad_lines_is_given_up_after_some_of_them(
    load: Any, query: Query, tmp_path: Path, line: str, end: bytes
) -> None:
    csv_file(tmp_path, "transactions.csv", [transaction(1), *[line] * 400_000], end=end)
    with pytest.raises(InputRefused, match="rows cannot be landed") as caught:
        load(tmp_path)
    assert int(caught.value.reason.split()[0].replace(",", "")) <= 20_000
    assert query("SELECT count(*) FROM ops.load_files") == [(0,)]


@pytest.mark.parametrize(
    "text",
    [
        '{"1": "No"' + ', "x":"y"' * 100_000 + "}",
        '[{"id": 1, "label": 0}' + ",{}" * 100_000 + "]",
    ],
    ids=["entries", "records"],
)
def test_labels_of_a_great_many_bad_entries_are_given_up_after_some_of_them(
    load: Any, tmp_path: Path, text: str
) -> None:
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(InputRefused, match="rows cannot be") as caught:
        load(tmp_path)
    assert int(caught.value.reason.split()[0].replace(",", "")) <= 20_000


def test_rejects_are_kept_up_to_a_number_whatever_their_share(
    load: Any, query: Query, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MOST_REJECTS", 40)
    lines = [transaction(n) for n in range(9)]
    csv_file(tmp_path, "transactions.csv", [*lines, *["x"] * 41])
    with pytest.raises(InputRefused, match="more than 40 rows cannot be landed"):
        load(tmp_path, max_rejects=1)
    csv_file(tmp_path, "transactions.csv", [*lines, *["x"] * 40])
    load(tmp_path, max_rejects=1)
    assert_reconciled(query)
    assert query("SELECT count(*) FROM ops.rejected_rows") == [(40,)]


def test_a_packed_copy_of_what_has_landed_unpacked_is_no_new_file(
    load: Any, query: Query, tmp_path: Path, size: str
) -> None:
    plain = csv_file(tmp_path / "data", "transactions.csv", [transaction(1)])
    packed = plain.with_name("transactions.csv.gz")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert sorted(outcome.action for outcome in load(tmp_path / "data")) == ["duplicate", "landed"]
    plain.unlink()
    query("DROP SCHEMA raw, ops CASCADE")
    load(tmp_path / "data")
    csv_file(tmp_path / "data", "transactions.csv", [transaction(1)])
    assert sorted(outcome.action for outcome in load(tmp_path / "data")) == ["duplicate", "unchanged"]
    assert query("SELECT count(*) FROM raw.transactions") == [(1,)]
