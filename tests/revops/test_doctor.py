"""`revops doctor` judges the disk by the data at hand, and by what the warehouse uses of it already."""

from __future__ import annotations

from pathlib import Path

import pytest

from revops import doctor
from revops import settings as reader
from revops.embedded.tuning import GIB

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("free", "used", "data", "is_enough"),
    [(3, 0, 0, True), (1, 0, 0, False), (20, 0, 1.4, False), (30, 0, 1.4, True), (8, 20, 1.4, True), (8, 2, 0.3, True)],
)
def test_disk_is_judged_by_the_data_at_hand(free: float, used: float, data: float, is_enough: bool) -> None:
    found = doctor.disk(int(free * GIB), int(used * GIB), int(data * GIB))
    assert found.passed is is_enough
    assert ("REVOPS_HOME" in found.detail) is not is_enough


def test_files_in_the_usual_folder_count_packed_ones_as_if_unpacked(tmp_path: Path) -> None:
    settings = reader.load({"REVOPS_HOME": str(tmp_path / "home"), "REVOPS_ENV_FILE": "/nonexistent"}, tmp_path)
    assert doctor.data_at_hand(settings) == 0
    folder = tmp_path / "data" / "raw" / "2019"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"x" * 100)
    (folder / "b.csv.gz").write_bytes(b"x" * 10)
    assert doctor.data_at_hand(settings) == 100 + 10 * doctor.PACKED


def test_what_a_home_uses_is_counted(tmp_path: Path) -> None:
    (tmp_path / "postgres-18" / "base").mkdir(parents=True)
    (tmp_path / "postgres-18" / "base" / "1").write_bytes(b"x" * 7)
    (tmp_path / "gone").symlink_to("nowhere")
    assert doctor.used_by(tmp_path) >= 7
    assert doctor.used_by(tmp_path / "none") == 0
