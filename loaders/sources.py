"""Owns the declarations of the five relations to land: names, formats, columns, what is sensitive. Does no I/O."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Format = Literal["csv", "labels_json", "codes_json"]
Shape = Literal["id", "number", "moment", "dollars", "channel", "zip", "text", "state", "errors", "label"]
"""How a value is written: see SHAPES."""

Form = (
    Shape
    | Literal["whole_dollars", "yes_no", "month", "birth_year", "credit_score", "latitude", "longitude"]
    | Literal["some_text", "card_number"]
)
"""What a value means, however it is written: see loaders/forms.py."""

LINEAGE_COLUMNS: tuple[tuple[str, str], ...] = (
    ("_file_id", "bigint"),
    ("_line_number", "bigint"),
    ("_loaded_at", "timestamptz"),
)
"""The columns that every raw relation has beside its business columns, and their types."""

REGULAR_COLUMN = ("_is_regular", "boolean")
"""One more such column, of the large relations: TRUE where every value of the row has its published shape."""

AMOUNT_PATTERN = r"^[$]-?0*[0-9]{1,10}[.][0-9]{2}$"
"""An amount that counts in `ops.load_files.amount_sum`, as published: `$-77.00`; for POSIX and Python.

The transforms cast an amount by the same rule, so that raw = facts + quarantine holds in dollars too: an amount that
does not match counts as no dollars on both sides, and its row is quarantined.
"""

CHANNELS = ("Swipe Transaction", "Chip Transaction", "Online Transaction")
"""The values of use_chip."""

ERRORS = (
    "Bad CVV",
    "Bad Card Number",
    "Bad Expiration",
    "Bad PIN",
    "Bad Zipcode",
    "Insufficient Balance",
    "Technical Glitch",
)
"""What errors are known; a transaction may have several, separated by commas."""

NONE_WORDS = frozenset(
    ("", "nan", "NaN", "NAN", "<NA>", "N/A", "n/a", "#N/A", "null", "Null", "NULL", "none", "None", "NONE", r"\N")
)
"""What programs write where there is nothing."""

_NO_NONE_WORD = "|".join(sorted(word.replace("\\", r"\\") for word in NONE_WORDS - {""}))
_ERROR = f"(?:{'|'.join(ERRORS)})"

SHAPES: dict[Shape, str] = {
    "id": "[0-9]{1,18}",
    "number": "[0-9]{1,9}",
    "moment": "[2-9][0-9]{3}-[0-9]{2}-[0-9]{2} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]",
    "dollars": "[$]-?[0-9]{1,6}[.][0-9]{2}",
    "channel": "|".join(CHANNELS),
    "zip": "(?:[0-9]{1,5}[.]0)?",
    "text": r"(?:[^ \0](?:[^\0]*[^ \0])?)?",
    "state": rf"(?!(?:{_NO_NONE_WORD})(?![^\0]))(?:[^ \0](?:[^\0]*[^ \0])?)?",
    "errors": f"(?:{_ERROR}(?:,{_ERROR})*)?",
    "label": "Yes|No",
}
"""What a value of each shape looks like; besides, a moment is of a day that the calendar has.

A row whose values all have their shapes is regular: the transforms cast it without looking at each value again, so each
shape here must be one that every one of their casts takes, and staging finds no fault in the row.
"""

UNDATED_DAY = datetime.date(2000, 1, 1)
"""The day under which `ops.changes` notes that rows without a valid day were added, changed or removed."""

DAY_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
"""How the text of a date begins (after spaces are cut off) when the row can belong to a day."""


@dataclass(frozen=True)
class Source:
    """One relation of the schema raw and the files it comes from.

    Attributes:
        relation: the name of the table in the schema raw.
        patterns: file names (lower case, without .gz or .zst) that announce this relation; the first match wins.
        format: how the published file is written. Any relation may also come as parquet with the same columns.
        columns: the columns of the published file, in order (for JSON: the names that key and value get).
        key_columns: columns that hold whole numbers which other rows refer to: scientific notation in them is refused.
        pan_column: the column that holds a card number, which lands as a token and the last four digits.
        dropped_columns: columns that never leave the loader.
        date_column: the column whose first ten characters are the day of a row.
        amount_column: the column whose sum goes into the manifest.
        forms: what the value of each column means.
        ordered_months: two columns of months, of which the first may not be after the second.
        is_personal: whether its rows are about people or their cards, so that no message shows a value.
        is_large: whether rows are so many that it matters which of them are regular.
        aliases: other names of columns, as people write them, tried in this order where the published name is missing.
    """

    relation: str
    patterns: tuple[str, ...]
    format: Format
    columns: tuple[str, ...]
    key_columns: tuple[str, ...]
    pan_column: str | None = None
    dropped_columns: tuple[str, ...] = ()
    date_column: str | None = None
    amount_column: str | None = None
    forms: tuple[Form, ...] = ()
    ordered_months: tuple[str, str] | None = None
    is_personal: bool = False
    is_large: bool = False
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shape of each column in a regular row; none where rows are too few for it to matter."""
        return self.forms if self.is_large else ()  # type: ignore[return-value]

    @property
    def optional_columns(self) -> tuple[str, ...]:
        """Columns that a file may lack: those that land in no table as they are."""
        return (*self.dropped_columns, *([self.pan_column] if self.pan_column else []))

    @property
    def landed_columns(self) -> tuple[str, ...]:
        """The business columns of the raw table, in order."""
        landed: list[str] = []
        for column in self.columns:
            if column == self.pan_column:
                landed += ["card_token", "card_last4"]
            elif column not in self.dropped_columns:
                landed.append(column)
        return tuple(landed)

    @property
    def lineage_columns(self) -> tuple[tuple[str, str], ...]:
        """The columns of the raw table beside its business columns, and their types."""
        return (*LINEAGE_COLUMNS, REGULAR_COLUMN) if self.shapes else LINEAGE_COLUMNS

    @property
    def is_sensitive(self) -> bool:
        """Whether rows of the file carry data that must not leave the loader."""
        return self.pan_column is not None or bool(self.dropped_columns)


SOURCES: dict[str, Source] = {
    source.relation: source
    for source in (
        Source(
            relation="mcc_codes",
            patterns=tuple(
                f"{stem}.{ending}"
                for ending in ("json", "jsonl", "ndjson", "csv", "tsv", "parquet")
                for stem in ("mcc*", "*mcc_codes*")
            ),
            format="codes_json",
            columns=("mcc", "description"),
            key_columns=("mcc",),
            forms=("number", "some_text"),
            aliases={
                "mcc": ("mcc_code", "code", "id", "unnamed:_0", "index", ""),
                "description": ("mcc_description", "edited_description", "name", "category", "0"),
            },
        ),
        Source(
            relation="users",
            patterns=("users*.csv", "*users_data*.csv", "users*.tsv", "users*.parquet"),
            format="csv",
            columns=(
                "id",
                "current_age",
                "retirement_age",
                "birth_year",
                "birth_month",
                "gender",
                "address",
                "latitude",
                "longitude",
                "per_capita_income",
                "yearly_income",
                "total_debt",
                "credit_score",
                "num_credit_cards",
            ),
            key_columns=("id",),
            forms=(
                "number",
                "number",
                "number",
                "birth_year",
                "text",
                "some_text",
                "text",
                "latitude",
                "longitude",
                "whole_dollars",
                "whole_dollars",
                "whole_dollars",
                "credit_score",
                "number",
            ),
            is_personal=True,
            aliases={"id": ("client_id", "user_id")},
        ),
        Source(
            relation="cards",
            patterns=("cards*.csv", "*cards_data*.csv", "cards*.tsv", "cards*.parquet"),
            format="csv",
            columns=(
                "id",
                "client_id",
                "card_brand",
                "card_type",
                "card_number",
                "expires",
                "cvv",
                "has_chip",
                "num_cards_issued",
                "credit_limit",
                "acct_open_date",
                "year_pin_last_changed",
                "card_on_dark_web",
            ),
            key_columns=("id", "client_id"),
            pan_column="card_number",
            dropped_columns=("cvv",),
            forms=(
                "number",
                "number",
                "some_text",
                "some_text",
                "card_number",
                "month",
                "text",
                "yes_no",
                "number",
                "whole_dollars",
                "month",
                "number",
                "yes_no",
            ),
            ordered_months=("acct_open_date", "expires"),
            is_personal=True,
            aliases={"id": ("card_id",), "client_id": ("user_id",)},
        ),
        Source(
            relation="fraud_labels",
            patterns=tuple(
                f"{stem}.{ending}"
                for ending in ("json", "jsonl", "ndjson", "csv", "tsv", "parquet")
                for stem in ("*fraud_labels*", "*labels*")
            ),
            format="labels_json",
            columns=("transaction_id", "is_fraud"),
            key_columns=("transaction_id",),
            forms=("id", "label"),
            is_large=True,
            aliases={
                "transaction_id": ("id", "transaction", "unnamed:_0", "index", ""),
                "is_fraud": ("isfraud", "fraud", "fraud_label", "label", "target", "class", "0"),
            },
        ),
        Source(
            relation="transactions",
            patterns=("transactions*.csv", "*transactions*.csv", "*transactions*.tsv", "*transactions*.parquet"),
            format="csv",
            columns=(
                "id",
                "date",
                "client_id",
                "card_id",
                "amount",
                "use_chip",
                "merchant_id",
                "merchant_city",
                "merchant_state",
                "zip",
                "mcc",
                "errors",
            ),
            key_columns=("id", "client_id", "card_id", "merchant_id", "mcc"),
            date_column="date",
            amount_column="amount",
            aliases={"id": ("transaction_id",)},
            is_large=True,
            forms=(
                "id",
                "moment",
                "number",
                "number",
                "dollars",
                "channel",
                "number",
                "text",
                "state",
                "zip",
                "number",
                "errors",
            ),
        ),
    )
}
"""The five relations, small ones first: the order in which they are landed."""
