"""Each lint rule fires on what it is against, says what to do, and is silent about what looks like it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlmesh.core.linter.rule import Rule
from sqlmesh.core.linter.rules.builtin import BUILTIN_RULES
from sqlmesh.core.model import Model

from linter import columns, header, keys, layout, privacy, queries
from tests.conftest import ROOT

pytestmark = pytest.mark.unit

Make = Callable[..., Model]
Check = Callable[..., list[str]]
RULES = {
    rule.name: rule
    for module in (columns, header, keys, layout, privacy, queries)
    for rule in vars(module).values()
    if isinstance(rule, type) and issubclass(rule, Rule) and rule is not Rule
}


def test_all_our_rules_are_errors_in_the_configuration_and_no_rule_is_unknown() -> None:
    text = (ROOT / "config.yaml").read_text()
    configured = yaml.safe_load(text[text.index("\nlinter:") :])["linter"]
    assert set(RULES) <= set(configured["rules"])
    assert set(configured["rules"]) <= set(RULES) | set(BUILTIN_RULES)
    assert not {"warn_rules", "ignored_rules"} & set(configured)


def test_every_file_of_the_folder_was_looked_into() -> None:
    modules = {module.__name__.rpartition(".")[2] for module in (columns, header, keys, layout, privacy, queries)}
    assert {path.stem for path in (ROOT / "linter").glob("*.py")} == modules | {"reading"}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_each_rule_says_what_it_wants_and_the_cure(rule: type[Rule]) -> None:
    sentences = [part for part in (rule.__doc__ or "").replace("\n", " ").split(". ") if part.strip()]
    assert len(sentences) > 1 or ": " in sentences[0]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_no_rule_finds_fault_with_a_plain_model_or_an_external_one(
    rule: Any, model_of: Make, external: Model, messages_of: Check
) -> None:
    assert messages_of(rule, model_of()) == []
    assert messages_of(rule, external) == []


# --- layout


def test_a_model_stands_in_the_file_of_its_name(model_of: Make, messages_of: Check) -> None:
    rule = layout.NamedLikeItsFile
    assert messages_of(rule, model_of(file="models/facts/dim_things.sql"))
    assert messages_of(rule, model_of(file="models/dimensions/things.sql"))
    assert messages_of(rule, model_of(file="models/dimensions/dim_things/dim_things.sql"))
    assert messages_of(rule, model_of(file="other/dimensions/dim_things.sql"))


@pytest.mark.parametrize(
    ("reader", "read", "allowed"),
    [
        ("staging.stg_things", "raw.things", True),
        ("dimensions.dim_things", "raw.things", False),
        ("dimensions.dim_things", "staging.stg_things", True),
        ("dimensions.dim_things", "dimensions.dim_others", True),
        ("dimensions.dim_things", "facts.fct_things", True),
        ("facts.fct_things", "dimensions.dim_things", True),
        ("facts.fct_things", "quality.quarantined_things", False),
        ("quality.quarantined_things", "facts.fct_things", True),
        ("features.thing_features", "facts.fct_things", True),
        ("features.thing_features", "staging.stg_things", False),
        ("features.thing_features", "serving.things", False),
        ("serving.things", "features.thing_features", True),
        ("serving.things", "staging.stg_things", False),
        ("serving.things", "raw.things", False),
        ("serving.things", "ops.load_files", True),
        ("facts.fct_things", "ops.load_files", False),
        ("staging.stg_things", "seeds.us_states", True),
        ("serving.things", "seeds.us_states", True),
        ("scratch.things", "facts.fct_things", False),
    ],
)
def test_a_layer_reads_only_layers_above(
    reader: str, read: str, allowed: bool, model_of: Make, messages_of: Check
) -> None:
    model = model_of(reader, f"WITH step AS (SELECT thing_id FROM {read}) SELECT thing_id::INT FROM step")
    found = messages_of(layout.ReadsOnlyLayersAbove, model)
    assert (found == []) is allowed
    assert allowed or read in found[0] or "no layer" in found[0]


def test_what_an_audit_alone_reads_may_come_from_any_layer_above_and_none_below(
    model_of: Make, messages_of: Check
) -> None:
    header_with = "kind FULL, description 'One row per thing.', grain thing_id, depends_on ({})"
    above = model_of("quality.things", header=header_with.format("raw.things"))
    below = model_of("quality.things", header=header_with.format("serving.things"))
    assert messages_of(layout.ReadsOnlyLayersAbove, above) == []
    assert "serving.things" in messages_of(layout.ReadsOnlyLayersAbove, below)[0]


def test_staging_joins_the_list_of_duplicates_and_nothing_else(model_of: Make, messages_of: Check) -> None:
    recipe = "WITH typed AS (SELECT t.id::INT AS thing_id FROM raw.things AS t {}) SELECT thing_id::INT AS thing_id FROM typed"
    duplicates = "LEFT JOIN raw.superseded_rows AS newer ON newer._line_number = t._line_number"
    rule = layout.StagingJoinsNothing
    assert messages_of(rule, model_of("staging.stg_things", recipe.format(duplicates))) == []
    joined = recipe.format("JOIN raw.others AS o ON o.id = t.id")
    assert "raw.others" in messages_of(rule, model_of("staging.stg_things", joined))[0]
    combined = "SELECT id::INT AS thing_id FROM raw.things UNION ALL SELECT id::INT AS thing_id FROM raw.others"
    assert "raw.others, raw.things" in messages_of(rule, model_of("staging.stg_things", combined))[0]
    assert messages_of(rule, model_of("facts.fct_things", joined)) == []


def test_a_name_leaves_room_for_its_version(model_of: Make, messages_of: Check) -> None:
    assert messages_of(layout.NameLeavesRoom, model_of("dimensions." + "d" * 33)) == []
    assert messages_of(layout.NameLeavesRoom, model_of("dimensions." + "d" * 34))


# --- header


@pytest.mark.parametrize("description", ["'Things.'", "'one row per thing'", "'One row per '", "''"])
def test_a_description_begins_with_one_row_per(description: str, model_of: Make, messages_of: Check) -> None:
    model = model_of(header=f"kind FULL, description {description}, grain thing_id")
    assert messages_of(header.DescribedAsOneRowPer, model)


def test_a_grain_is_declared_and_of_columns_that_there_are(model_of: Make, messages_of: Check) -> None:
    assert "declares no grain" in messages_of(header.GrainIsDeclared, model_of(header="kind FULL"))[0]
    model = model_of(header="kind FULL, grain (thing_id,other_id)")
    assert "no column other_id" in messages_of(header.GrainIsDeclared, model)[0]


def test_the_keys_of_a_model_stand_in_one_order(model_of: Make, messages_of: Check) -> None:
    swapped = model_of(header="description 'One row per thing.', kind FULL, grain thing_id")
    assert "name, kind, description, grain" in messages_of(header.KeysInOrder, swapped)[0]
    late = model_of(header="kind FULL, tags (thing), grain thing_id")
    assert "name, kind, grain, tags" in messages_of(header.KeysInOrder, late)[0]
    other = model_of(header="kind FULL, ignored_rules ('nomissingaudits'), grain thing_id, cron '@daily'")
    assert messages_of(header.KeysInOrder, other) == []


# --- columns


def test_every_column_has_a_description(model_of: Make, messages_of: Check) -> None:
    query = "SELECT thing_id::INT, /* The thing */ other_id::INT FROM staging.stg_things"
    found = messages_of(columns.ColumnsAreDescribed, model_of(query=query))
    assert len(found) == 1
    assert "other_id without" in found[0]


@pytest.mark.parametrize(
    ("projections", "loose"),
    [
        ("thing_id::INT, COALESCE(thing_count, 0)::INT AS thing_count", None),
        ("thing_id::INT, (thing_count > 0)::BOOLEAN AS has_things", None),
        ("thing_id::INT, thing_count", "thing_count"),
        ("thing_id, thing_count::INT", "thing_id"),
        ("thing_id::INT, thing_count::INT + 1 AS thing_count", "thing_count"),
        ("@blank_to_null(thing_name)::TEXT AS thing_name", None),
        ("@blank_to_null(thing_name) AS thing_name", "thing_name"),
    ],
)
def test_every_column_is_cast(projections: str, loose: str | None, model_of: Make, messages_of: Check) -> None:
    found = messages_of(columns.ColumnsAreCast, model_of(query=f"SELECT {projections} FROM staging.stg_things"))
    assert ([f"{loose} without a cast" in message for message in found]) == ([True] if loose else [])


def test_every_branch_of_a_union_is_cast(model_of: Make, messages_of: Check) -> None:
    query = "SELECT thing_id::INT FROM staging.stg_things UNION ALL SELECT other_id FROM staging.stg_things"
    assert "other_id without a cast" in messages_of(columns.ColumnsAreCast, model_of(query=query))[0]


@pytest.mark.parametrize(
    ("column", "data_type", "cure"),
    [
        ("thing_id", "INT", None),
        ("id", "INT", "<object>_id"),
        ("name", "TEXT", "<object>_name"),
        ("type", "TEXT", "<object>_type"),
        ("is_open", "BOOLEAN", None),
        ("has_chip", "BOOLEAN", None),
        ("open", "BOOLEAN", "is_... or has_..."),
        ("is_open", "TEXT", "named is_... or has_..."),
        ("opened_at", "TIMESTAMP", None),
        ("_loaded_at", "TIMESTAMPTZ", None),
        ("opened", "TIMESTAMP", "..._at"),
        ("opened_at", "DATE", "named ..._at"),
        ("opened_on", "DATE", None),
        ("open_date", "DATE", None),
        ("month_start", "DATE", None),
        ("valid_until_date", "DATE", None),
        ("valid_until", "DATE", "..._on or ..._date"),
        ("opening", "DATE", "..._on or ..._date"),
        ("opened_on", "TEXT", "named ..._on or ..._date"),
        ("landed_date", "TEXT", None),
        ("history", "TEXT", None),
        ("isolation", "TEXT", None),
    ],
)
def test_a_column_name_tells_its_type(
    column: str, data_type: str, cure: str | None, model_of: Make, messages_of: Check
) -> None:
    model = model_of(query=f"SELECT thing::{data_type} AS {column} FROM staging.stg_things")
    found = messages_of(columns.ColumnNamesTellTheirType, model)
    assert (found == []) is (cure is None)
    assert cure is None or cure in found[0]


# --- queries


STEP = "WITH step AS (SELECT thing_id FROM staging.stg_things)"


@pytest.mark.parametrize(
    ("query", "fires"),
    [
        ("SELECT * FROM staging.stg_things", True),
        ("WITH step AS (SELECT * FROM staging.stg_things) SELECT thing_id::INT FROM step", True),
        ("WITH step AS (SELECT things.* FROM staging.stg_things AS things) SELECT thing_id::INT FROM step", True),
        ("SELECT thing_id::INT FROM (SELECT * FROM staging.stg_things) AS things", True),
        (f"{STEP} SELECT step.* FROM step", True),
        (f"{STEP}, other AS (SELECT * FROM step) SELECT thing_id::INT FROM other", True),
        (f"{STEP}, other AS (SELECT step.* FROM staging.stg_things AS step) SELECT thing_id::INT FROM other", True),
        (f"{STEP}, other AS (SELECT step.* FROM staging.step) SELECT thing_id::INT FROM other", True),
        (f"{STEP}, other AS (SELECT step.*, 1 AS one FROM step) SELECT thing_id::INT FROM other", False),
        ("SELECT COUNT(*)::INT AS thing_count FROM staging.stg_things", False),
        ("SELECT (amount * 2)::INT AS amount FROM staging.stg_things", False),
        ("SELECT thing_id::INT FROM staging.stg_things WHERE EXISTS (SELECT 1 FROM seeds.us_states)", False),
    ],
)
def test_no_step_selects_a_star(query: str, fires: bool, model_of: Make, messages_of: Check) -> None:
    assert bool(messages_of(queries.NoStarInAnyStep, model_of(query=query))) is fires


OF_DAYS = "kind INCREMENTAL_BY_TIME_RANGE (time_column seen_on), description 'One row per thing.', grain thing_id"


@pytest.mark.parametrize(
    ("header", "condition", "fires"),
    [
        (OF_DAYS, "TRUE", True),
        (OF_DAYS, "@blank_to_null(thing_name) = 'a'", True),
        (OF_DAYS, "@in_range(seen_on)", False),
        (OF_DAYS, "@landed_in_range(landed_date, seen_at)", False),
        (OF_DAYS, "seen_on BETWEEN @start_ds AND @end_ds", False),
        (OF_DAYS.replace("INCREMENTAL_BY_TIME_RANGE (time_column seen_on)", "FULL"), "TRUE", False),
    ],
)
def test_a_model_of_days_selects_them(
    header: str, condition: str, fires: bool, model_of: Make, messages_of: Check
) -> None:
    query = f"SELECT thing_id::INT, seen_on::DATE FROM staging.stg_things WHERE {condition}"
    assert bool(messages_of(queries.DaysAreSelected, model_of(header=header, query=query))) is fires


@pytest.mark.parametrize(
    ("query", "poor"),
    [
        ("WITH final AS (SELECT thing_id FROM staging.stg_things) SELECT thing_id::INT FROM final", "final"),
        ("SELECT t.thing_id::INT FROM staging.stg_things AS t", "t"),
        ("SELECT things.thing_id::INT FROM staging.stg_things AS things", None),
        ("SELECT thing_id::INT FROM staging.stg_things", None),
    ],
)
def test_names_in_a_query_are_words(query: str, poor: str | None, model_of: Make, messages_of: Check) -> None:
    found = messages_of(queries.NamesAreWords, model_of(query=query))
    assert [f"has {poor}:" in message for message in found] == ([True] if poor else [])


@pytest.mark.parametrize(
    ("projection", "named"),
    [
        ("EXTRACT(EPOCH FROM opened_at)", "EPOCH"),
        ("EXTRACT(DOW FROM opened_at)", "DOW"),
        ("EXTRACT(ISODOW FROM opened_at)", "ISODOW"),
        ("AGE(opened_at)", "AGE"),
        ("DATE_BIN('5 minutes', opened_at, '2000-01-01')", "DATE_BIN"),
        ("STRING_TO_ARRAY(things, ',')", "STRING_TO_ARRAY"),
        ("REGEXP_MATCH(things, 'x')", "REGEXP_MATCH"),
        ("things ~* 'x'", "~*"),
        ("things ~ '(?<![0-9])x'", "look-behind in a pattern"),
        ("things ~ 'x(?!y)'", "look-ahead in a pattern"),
        ("REGEXP_REPLACE(things, '[[:digit:]]', '', 'g')", "[[:class:]] in a pattern"),
        ("REGEXP_REPLACE(things, 'x', 'y')", "REGEXP_REPLACE without 'g'"),
        ("amount BETWEEN SYMMETRIC 2 AND 1", "BETWEEN SYMMETRIC"),
        ("things SIMILAR TO 'x'", "SIMILAR TO"),
        ("CONCAT_WS(',', things, others)", "CONCAT_WS"),
        ("PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY amount)", "PERCENTILE_CONT"),
        ("ARRAY_AGG(things ORDER BY things)", "ARRAY_AGG(ORDER BY)"),
        ("TRUNC(amount, 2)", "TRUNC(x, n)"),
        ("amount::NUMERIC", "DECIMAL without precision and scale"),
        ("amount::DECIMAL(12)", "DECIMAL without precision and scale"),
        ("things::VARCHAR(5)", "VARCHAR(5)"),
        ("amount::REAL", "REAL"),
        ("things::JSONB", "JSONB"),
        ("things -> 'x'", "->"),
        ("NUM_NONNULLS(things, others)", "NUM_NONNULLS"),
        ("GENERATE_SERIES(1, 3)", "GENERATE_SERIES"),
        ("thing_id = ANY(ARRAY[1, 2])", "ANY of an array"),
        ("(opened_at, closed_at) OVERLAPS (opened_at, closed_at)", "OVERLAPS"),
        ("TO_CHAR(amount, '999D99')", "TO_CHAR"),
        ("TO_CHAR(opened_at, 'Day')", "TO_CHAR"),
        ("REGEXP_REPLACE(things, '(x)', '\\1', 'g')", "in REGEXP_REPLACE"),
        ("2.5::INT", "a decimal as an integer"),
        ("amount::DECIMAL(8, 2)::BIGINT", "a decimal as an integer"),
        ("ROUND(amount::DOUBLE PRECISION)", "ROUND of a DOUBLE"),
        ("LEFT(things, -1)", "LEFT with a negative length"),
        ("SUBSTR(things, 0, 2)", "SUBSTR from 0"),
        ("amount::DOUBLE PRECISION::TEXT", "a DOUBLE as text"),
        ("(INTERVAL '1 day')::TEXT", "an interval as text"),
        (
            "SUM(amount) OVER (ORDER BY opened_at RANGE BETWEEN INTERVAL '1 month 2 days' PRECEDING AND CURRENT ROW)",
            "mixed units",
        ),
        (
            "SUM(amount) OVER (ORDER BY opened_at"
            " RANGE BETWEEN INTERVAL '1 month' PRECEDING AND INTERVAL '1 day' FOLLOWING)",
            "mixed units",
        ),
        ("SUM(amount) OVER (ORDER BY thing_id GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW)", "GROUPS"),
        (
            "SUM(amount) OVER (ORDER BY thing_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW)",
            "EXCLUDE",
        ),
    ],
)
def test_sql_that_another_engine_reads_otherwise_is_found(
    projection: str, named: str, model_of: Make, messages_of: Check
) -> None:
    model = model_of(query=f"SELECT {projection} AS thing_count FROM staging.stg_things")
    found = messages_of(queries.RunsAlikeElsewhere, model)
    assert len(found) == 1
    assert named in found[0]


@pytest.mark.parametrize(
    "projection",
    [
        "EXTRACT(YEAR FROM opened_at)",
        "DATE_TRUNC('month', opened_at)",
        "amount::DECIMAL(12, 2)",
        "amount::DOUBLE PRECISION",
        "things ~ 'x'",
        "REGEXP_REPLACE(things, 'x', 'y', 'g')",
        "things ILIKE 'x'",
        "SPLIT_PART(things, ',', 1)",
        "ARRAY_AGG(things)",
        "TRUNC(amount)",
        "CONCAT(things, others)",
        "PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY amount)",
        "COUNT(*) FILTER (WHERE amount > 0)",
        "SUM(amount) OVER (ORDER BY opened_at RANGE BETWEEN INTERVAL '86400 SECONDS' PRECEDING AND CURRENT ROW)",
        "TO_CHAR(opened_at, 'YYYY-MM')",
        "TO_CHAR(opened_at, 'YYYY-MM-DD HH24:MI:SS')",
        "amount::INT",
        "ROUND(amount::DECIMAL(8, 2))::INT",
        "LEFT(things, 2)",
        "SUBSTR(things, 1, 2)",
        "amount::TEXT",
    ],
)
def test_sql_that_engines_agree_on_is_left_alone(projection: str, model_of: Make, messages_of: Check) -> None:
    model = model_of(query=f"SELECT {projection} AS thing_count FROM staging.stg_things")
    assert messages_of(queries.RunsAlikeElsewhere, model) == []


# --- privacy


@pytest.mark.parametrize(
    ("name", "query", "found"),
    [
        ("staging.stg_users", "SELECT address::TEXT AS home FROM raw.users", "address"),
        ("staging.stg_users", "SELECT birth_year::INT FROM raw.users WHERE birth_month = '1'", "birth_month"),
        ("staging.stg_cards", "SELECT number::TEXT AS card_number FROM raw.cards", "card_number"),
        ("staging.stg_cards", "SELECT card_token::TEXT FROM raw.cards", None),
        ("dimensions.dim_cards", "SELECT card_token::TEXT FROM staging.stg_cards", "card_token"),
        ("dimensions.dim_cards", "SELECT card_token::TEXT AS pseudonym FROM staging.stg_cards", "card_token"),
        ("serving.cards", "SELECT card_cvv::TEXT FROM dimensions.dim_cards", "card_cvv"),
        (
            "facts.fct_transactions",
            "SELECT has_bad_cvv::BOOLEAN, has_bad_card_number::BOOLEAN FROM staging.stg_x",
            None,
        ),
        ("serving.cards", "SELECT card_last4::TEXT FROM dimensions.dim_cards", None),
    ],
)
def test_sensitive_columns_end_in_staging(
    name: str, query: str, found: str | None, model_of: Make, messages_of: Check
) -> None:
    messages = messages_of(privacy.SensitiveColumnsStayAbove, model_of(name, query))
    assert [f"has {found}:" in message for message in messages] == ([True] if found else [])


ROUNDED = "WITH typed AS (SELECT {} AS latitude FROM raw.users) SELECT latitude::DECIMAL(4, 1) FROM typed"


@pytest.mark.parametrize(
    ("name", "query", "fires"),
    [
        ("staging.stg_users", ROUNDED.format("@coarse_degrees(latitude)"), False),
        ("staging.stg_users", ROUNDED.format("@cast_or_null(latitude, 'decimal(9, 6)')"), True),
        ("staging.stg_users", ROUNDED.format("ROUND(@cast_or_null(latitude, 'decimal(9, 6)'), 2)"), True),
        ("staging.stg_users", ROUNDED.format("@blank_to_null(latitude)"), True),
        ("staging.stg_users", "SELECT latitude::TEXT AS whereabouts FROM raw.users", True),
        ("serving.clients", "SELECT latitude::DECIMAL(4, 1) AS client_latitude FROM dimensions.dim_users", False),
        ("serving.clients", "SELECT latitude::DECIMAL(9, 6) AS client_latitude FROM dimensions.dim_users", True),
        ("serving.clients", "SELECT longitude::DOUBLE PRECISION FROM dimensions.dim_users", True),
    ],
)
def test_a_home_is_known_to_one_decimal(name: str, query: str, fires: bool, model_of: Make, messages_of: Check) -> None:
    assert bool(messages_of(privacy.PlacesAreRounded, model_of(name, query))) is fires


# --- keys

KEY_RULES = (keys.DeclarationsCanBeApplied, keys.KeysAreDeclared, keys.MaterializedViewHasItsKey)


def _child(model_of: Make, declarations: str, header_extra: str = "") -> Model:
    return model_of(
        "facts.fct_sales",
        "SELECT sale_id::INT, /* The sale */ thing_id::INT /* The thing */ FROM dimensions.dim_things;\n"
        + declarations,
        "kind FULL, description 'One row per sale.', grain sale_id" + header_extra,
    )


def test_a_table_declares_its_grain_as_its_primary_key(model_of: Make, messages_of: Check) -> None:
    rule = keys.KeysAreDeclared
    assert messages_of(rule, _child(model_of, "@primary_key(sale_id)")) == []
    assert "is not the grain (sale_id)" in messages_of(rule, _child(model_of, "@index(thing_id)"))[0]
    assert messages_of(rule, _child(model_of, "@primary_key(thing_id)"))
    assert messages_of(rule, _child(model_of, "@primary_key(sale_id, thing_id)"))


def test_a_foreign_key_leads_to_the_key_of_a_table_read(model_of: Make, messages_of: Check) -> None:
    parent = model_of()
    declared = "@primary_key(sale_id);\n@foreign_key(thing_id, dimensions.{}, {})"
    right = _child(model_of, declared.format("dim_things", "thing_id"))
    assert messages_of(keys.KeysAreDeclared, right, [parent]) == []
    assert messages_of(keys.DeclarationsCanBeApplied, right, [parent]) == []
    elsewhere = _child(model_of, declared.format("dim_others", "thing_id"))
    assert "not in depends_on" in messages_of(keys.KeysAreDeclared, elsewhere, [parent])[0]
    unknown = _child(model_of, declared.format("dim_others", "thing_id"), ", depends_on (dimensions.dim_others)")
    assert "no model here" in messages_of(keys.DeclarationsCanBeApplied, unknown, [parent])[0]
    other_column = _child(model_of, declared.format("dim_things", "thing_code"))
    assert "not unique there" in messages_of(keys.DeclarationsCanBeApplied, other_column, [parent])[0]


def test_keys_and_indexes_are_on_columns_that_there_are(model_of: Make, messages_of: Check) -> None:
    rule = keys.DeclarationsCanBeApplied
    assert messages_of(rule, _child(model_of, "@primary_key(sale_id);\n@index(thing_id)")) == []
    assert (
        "price, which is no column" in messages_of(rule, _child(model_of, "@primary_key(sale_id);\n@index(price)"))[0]
    )
    covering = _child(model_of, "@primary_key(sale_id);\n@index(thing_id, include := (price))")
    assert "price, which is no column" in messages_of(rule, covering)[0]


def test_a_declaration_that_cannot_be_read_is_told_once_with_its_model(model_of: Make, messages_of: Check) -> None:
    model = _child(model_of, "@primary_key(sale_id);\n@foreign_key(thing_id)")
    (found,) = [message for rule in KEY_RULES for message in messages_of(rule, model)]
    assert "facts.fct_sales" in found


VIEW = "kind VIEW, description 'One row per sale.', grain sale_id"
VIEW_QUERY = "SELECT sale_id::INT, /* The sale */ sold_on::DATE /* Its day */ FROM facts.fct_sales;\n"


@pytest.mark.parametrize(
    ("declarations", "faults"),
    [
        ("@materialized_view(unique_key := sale_id, period := sold_on, every := year);\n@index(sold_on)", 0),
        ("", 0),
        ("@index(sold_on)", 1),
        ("@primary_key(sale_id)", 1),
        ("@materialized_view(unique_key := sold_on)", 1),
        ("@materialized_view(unique_key := sale_id, period := sale_id)", 1),
    ],
)
def test_a_view_declares_indexes_only_with_a_materialized_view_of_its_grain(
    declarations: str, faults: int, model_of: Make, messages_of: Check
) -> None:
    model = model_of("serving.sales", VIEW_QUERY + declarations, VIEW)
    assert len([message for rule in KEY_RULES for message in messages_of(rule, model)]) == faults


def test_a_table_is_not_served_from_a_materialized_view(model_of: Make, messages_of: Check) -> None:
    model = _child(model_of, "@primary_key(sale_id);\n@materialized_view(unique_key := sale_id)")
    assert "for kind VIEW" in messages_of(keys.DeclarationsCanBeApplied, model)[0]


def test_a_seed_describes_its_columns(tmp_path: Path, messages_of: Check) -> None:
    from sqlmesh.core.dialect import parse
    from sqlmesh.core.model import load_sql_based_model

    (tmp_path / "models" / "seeds").mkdir(parents=True)
    (tmp_path / "models" / "seeds" / "codes.csv").write_text("code_id,code_name\n1,one\n")
    text = """MODEL (
      name seeds.codes, kind SEED (path 'codes.csv'), columns (code_id INT, code_name TEXT),
      column_descriptions (code_id = 'The code')
    )"""
    path = tmp_path / "models" / "seeds" / "codes.sql"
    model = load_sql_based_model(parse(text, default_dialect="postgres"), path=path, module_path=tmp_path)
    assert "code_name without" in messages_of(columns.ColumnsAreDescribed, model)[0]


@pytest.mark.parametrize(
    ("name", "grants", "found"),
    [
        ("serving.things", ", grants ('select' = 'revops_analyst')", False),
        ("serving.things", "", True),
        ("serving.things", ", grants ('select' = 'public')", True),
        ("serving.things", ", grants ('select' = 'revops_analyst', 'update' = 'revops_analyst')", True),
        ("facts.fct_things", "", False),
        ("facts.fct_things", ", grants ('select' = 'revops_analyst')", True),
    ],
)
def test_what_analysts_read_is_serving(name: str, grants: str, found: bool, model_of: Make, messages_of: Check) -> None:
    header = "kind FULL, description 'One row per thing.', grain thing_id" + grants
    assert bool(messages_of(privacy.AnalystsReadServing, model_of(name=name, header=header))) is found
