"""The server's settings follow the machine; what must never change does not."""

from __future__ import annotations

import re

import pytest

from revops.embedded.tuning import GIB, MIB, Machine, as_configuration, server_settings

pytestmark = pytest.mark.unit


def _mb(value: str) -> int:
    found = re.fullmatch(r"(\d+)MB", value)
    assert found is not None
    return int(found.group(1))


@pytest.mark.parametrize("memory", [GIB // 2, 2 * GIB, 8 * GIB, 24 * GIB, 512 * GIB])
def test_memory_is_shared_out_within_what_there_is(memory: int) -> None:
    settings = server_settings(Machine(memory, cores=4, disk=500 * GIB))
    total = _mb(settings["shared_buffers"]) + 4 * _mb(settings["work_mem"]) + _mb(settings["maintenance_work_mem"])
    assert total * MIB < memory
    assert _mb(settings["work_mem"]) <= 1024


def test_the_measured_machine_gets_the_measured_settings() -> None:
    settings = server_settings(Machine(24 * GIB, cores=2, disk=100 * GIB))
    assert settings["shared_buffers"] == "4096MB"
    assert settings["work_mem"] == "1024MB"  # one batch for the label join
    assert settings["max_wal_size"] == "4096MB"
    assert settings["max_parallel_maintenance_workers"] == "1"


def test_a_server_is_told_only_what_its_version_knows() -> None:
    machine = Machine(24 * GIB, cores=2, disk=100 * GIB)
    assert server_settings(machine, 18)["io_method"] == "sync"
    assert "io_method" not in server_settings(machine, 16)


def test_the_log_of_changes_never_fills_a_small_disk() -> None:
    assert _mb(server_settings(Machine(24 * GIB, 2, disk=8 * GIB))["max_wal_size"]) == 1024


@pytest.mark.parametrize("memory", [GIB, 64 * GIB])
def test_data_is_safe_on_every_machine(memory: int) -> None:
    settings = server_settings(Machine(memory, cores=1, disk=GIB))
    assert (settings["fsync"], settings["full_page_writes"]) == ("on", "on")
    assert (settings["wal_level"], settings["max_wal_senders"], settings["jit"]) == ("minimal", "0", "off")


def test_shared_memory_is_used_only_where_it_suffices() -> None:
    assert server_settings(Machine(24 * GIB, 2, 100 * GIB, shm=64 * MIB))["dynamic_shared_memory_type"] == "mmap"
    assert "dynamic_shared_memory_type" not in server_settings(Machine(24 * GIB, 2, 100 * GIB, shm=12 * GIB))
    assert "dynamic_shared_memory_type" not in server_settings(Machine(24 * GIB, 2, 100 * GIB, shm=None))


def test_values_are_quoted_as_postgresql_reads_them() -> None:
    assert as_configuration({"a": "it's \\ here"}) == "a = 'it''s \\\\ here'\n"
