"""From what is declared and what there is to what is to be done: no database is needed to know it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshkeys import catalog, comparison, names
from meshkeys.catalog import Keys, PrimaryKey, Relation
from meshkeys.declarations import Declarations, ForeignKey, Index
from meshkeys.operations import (
    AddForeignKey,
    AddPrimaryKey,
    CreateIndex,
    DropConstraint,
    DropIndex,
    ValidateConstraint,
)

pytestmark = pytest.mark.unit

TABLE, USERS, OTHERS = Relation("s", "paid__1"), Relation("s", "users__1"), Relation("s", "users__2")
BY_DAY = Index(("day",), include=("amount",), where="amount > 0")
DECLARED = Declarations(("id",), (ForeignKey("user_id", "a.users", "user_id"),), (BY_DAY,))
PARENTS = {"a.users": USERS}
INDEX = catalog.Index(names.of_index(TABLE, BY_DAY), ("day",), ("amount",), where="(amount > (0)::numeric)")
KEY = catalog.ForeignKey(names.of_foreign_key(TABLE, "user_id"), USERS, ("user_id",), ("user_id",), True)
THERE = Keys(PrimaryKey("paid__1__pk", ("id",)), (INDEX,), (KEY,))
ADD = AddForeignKey(TABLE, KEY.name, "user_id", USERS, "user_id")
VALIDATE = ValidateConstraint(TABLE, KEY.name, "user_id")


@pytest.mark.parametrize("matches", [comparison.is_named, comparison.serves])
def test_what_is_as_declared_asks_for_nothing(matches: comparison.Matches) -> None:
    assert comparison.of_table(TABLE, DECLARED, PARENTS, THERE, matches) == []


def test_on_an_empty_table_all_is_to_be_made_the_foreign_key_last() -> None:
    assert comparison.of_table(TABLE, DECLARED, PARENTS, Keys()) == [
        CreateIndex(TABLE, BY_DAY), AddPrimaryKey(TABLE, ("id",)), ADD, VALIDATE,
    ]  # fmt: skip


def test_what_is_no_longer_declared_goes_and_what_is_not_ours_stays() -> None:
    theirs = catalog.Index("mine", ("day",))
    backing = catalog.Index(f"{TABLE.name}__pk", ("id",), is_unique=True, backs_constraint=True)
    there = replace(THERE, indexes=(theirs, backing, INDEX))
    assert comparison.of_table(TABLE, Declarations(), PARENTS, there) == [
        DropIndex(TABLE, INDEX.name), DropConstraint(TABLE, "paid__1__pk"), DropConstraint(TABLE, KEY.name),
    ]  # fmt: skip


def test_an_index_that_is_not_valid_is_made_again() -> None:
    there = [replace(INDEX, is_valid=False)]
    assert comparison.of_indexes(TABLE, [BY_DAY], there) == [
        DropIndex(TABLE, INDEX.name), CreateIndex(TABLE, BY_DAY),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        {"columns": ("amount",)},
        {"include": ()},
        {"method": "hash"},
        {"where": None},
        {"has_expressions": True},
        {"is_valid": False},
    ],
)
def test_an_index_of_another_shape_serves_nobody(other: dict[str, object]) -> None:
    theirs = replace(INDEX, name="theirs")
    assert comparison.of_indexes(TABLE, [BY_DAY], [theirs], comparison.serves) == []
    changed = replace(theirs, **other)  # type: ignore[arg-type]
    assert comparison.of_indexes(TABLE, [BY_DAY], [changed], comparison.serves) == [CreateIndex(TABLE, BY_DAY)]


def test_a_unique_index_serves_where_any_is_wanted_and_not_the_other_way_round() -> None:
    plain, unique = Index(("day",)), Index(("day",), is_unique=True)
    found = catalog.Index("theirs", ("day",))
    assert not comparison.of_indexes(TABLE, [plain], [replace(found, is_unique=True)], comparison.serves)
    assert comparison.of_indexes(TABLE, [unique], [found], comparison.serves)


@pytest.mark.parametrize(
    "key", [PrimaryKey("k", ("other",)), PrimaryKey("k", ("id", "day")), PrimaryKey("k", ("id",), is_enforced=False)]
)
def test_a_primary_key_of_other_columns_or_not_enforced_is_made_again(key: PrimaryKey) -> None:
    assert comparison.of_primary_key(TABLE, ("id",), Keys(key)) == [
        DropConstraint(TABLE, "k"), AddPrimaryKey(TABLE, ("id",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "key", [replace(KEY, parent=OTHERS), replace(KEY, parent_columns=("id",)), replace(KEY, columns=("id",))]
)
def test_a_foreign_key_that_points_elsewhere_is_pointed_again(key: catalog.ForeignKey) -> None:
    assert comparison.of_foreign_keys(TABLE, DECLARED, PARENTS, Keys(foreign_keys=(key,))) == [
        DropConstraint(TABLE, KEY.name), ADD, VALIDATE,
    ]  # fmt: skip


def test_a_foreign_key_that_was_not_checked_is_checked_under_its_own_name() -> None:
    theirs = replace(KEY, name="theirs", is_validated=False)
    assert comparison.of_foreign_keys(TABLE, DECLARED, PARENTS, Keys(foreign_keys=(theirs,))) == [
        ValidateConstraint(TABLE, "theirs", "user_id")
    ]


def test_a_parent_without_a_table_is_left_out() -> None:
    assert comparison.of_foreign_keys(TABLE, DECLARED, {}, Keys()) == []


def test_names_end_at_63_bytes_and_tell_declarations_apart() -> None:
    table = Relation("s", "a_table_with_a_long_name_of_many_words__3141592653")
    found = {names.of_index(table, Index(("a_column", "another"), is_unique=unique)) for unique in (True, False)}
    assert len(found) == 2
    assert all(len(name.encode()) <= 63 and names.is_of_ours(table, name) for name in found)
    assert not names.is_of_ours(TABLE, next(iter(found)))
