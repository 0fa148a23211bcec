"""A disk that fills up under a build: told as the database's fault, nothing half built is served, the next build goes on."""

from __future__ import annotations

from pathlib import Path

import psycopg2.errors
import pytest

from foundation.errors import DatabaseUnavailable
from revops.terminal import failures
from tests.conftest import RunningServer
from tests.end_to_end.warehouse import Warehouse, copy_of_project
from tests.small_disk import database_on_small_disk

MEGABYTES = (1, 3, 5, 7)  # left free: the disk is full at another step each time


def test_a_build_that_fills_the_disk_is_told_and_with_space_the_next_one_converges(
    server: RunningServer, tmp_path: Path
) -> None:
    from generator import generate

    data = tmp_path / "data"
    generate(data, scale=0.0005, seed=11)
    with database_on_small_disk(server) as disk:
        warehouse = Warehouse(copy_of_project(tmp_path / "project"), disk.url, data)
        warehouse.load()
        for size in MEGABYTES:
            disk.leave(size << 20)
            with pytest.raises((DatabaseUnavailable, psycopg2.errors.DiskFull)) as raised:
                warehouse.build()
            told = failures.known(raised.value)
            assert told is not None
            assert told.exit_code == DatabaseUnavailable.exit_code
            assert "No space left on device" in str(told)
            print(size, told)
        disk.clear()
        warehouse.build()
        warehouse.assert_sound()
        assert warehouse.served()[0] == len((data / "transactions_data.csv").read_text().splitlines()) - 1
