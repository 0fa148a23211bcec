"""What `revops verify` says of a warehouse that somebody has damaged: the invariant that no longer holds, by its name."""

from __future__ import annotations

import pytest

from tests.end_to_end.warehouse import Warehouse

AMOUNTS = "UPDATE raw.transactions SET amount = %s WHERE id = (SELECT id FROM raw.transactions ORDER BY id LIMIT 1)"
SWAPPED = """
UPDATE raw.fraud_labels SET is_fraud = CASE is_fraud WHEN 'Yes' THEN 'No' ELSE 'Yes' END
WHERE transaction_id IN (SELECT min(transaction_id) FROM raw.fraud_labels GROUP BY is_fraud)
"""
OF_NO_TRANSACTION = """
UPDATE raw.fraud_labels SET transaction_id = '9' || transaction_id
WHERE transaction_id = (SELECT min(transaction_id) FROM raw.fraud_labels)
"""


@pytest.mark.parametrize(
    ("statement", "values", "broken"),
    [
        (AMOUNTS, ("$0.77",), {"files = raw + rejects", "raw = facts + quarantine"}),
        (AMOUNTS, ("much",), {"files = raw + rejects", "raw = facts + quarantine"}),
        (AMOUNTS, ("$1e5",), {"files = raw + rejects", "raw = facts + quarantine"}),
        (SWAPPED, None, {"labels agree"}),
        (OF_NO_TRANSACTION, None, {"labels agree"}),
        ("DELETE FROM raw.fraud_labels", None, {"files = raw + rejects", "labels agree"}),
    ],
)
def test_a_change_behind_its_back_is_told(
    warehouse: Warehouse, statement: str, values: tuple[str, ...] | None, broken: set[str]
) -> None:
    warehouse.query(statement, values)
    assert {result.name for result in warehouse.verify() if not result.passed} == broken


def test_a_label_that_no_transaction_has_breaks_nothing(warehouse: Warehouse) -> None:
    labels = warehouse.data / "train_fraud_labels.json"
    labels.write_text(labels.read_text().replace('{"target": {', '{"target": {"99999999999": "Yes", ', 1))
    warehouse.load()
    warehouse.build()
    warehouse.assert_sound()
