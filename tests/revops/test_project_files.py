"""What stands around the code: compose file, workflow, Makefile, lock. Checked without running all of it."""

from __future__ import annotations

import importlib.util
import os
import re
import stat
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.conftest import ROOT

pytestmark = pytest.mark.unit


def _yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


@pytest.fixture(scope="module")
def make_venv() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("make_venv", ROOT / ".ci" / "make_venv.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("schema", "name"),
    [("vendor.compose-spec", "docker-compose.yml"), ("vendor.github-workflows", ".github/workflows/ci.yml")],
)
def test_it_follows_its_specification(schema: str, name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(ROOT / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_compose_listens_on_loopback_only_and_has_no_default_password() -> None:
    service = _yaml("docker-compose.yml")["services"]["postgres"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
    assert service["environment"]["POSTGRES_HOST_AUTH_METHOD"] == "scram-sha-256"
    assert "trust" not in str(service)


def test_compose_pins_postgresql_18_with_its_minor_and_keeps_its_data() -> None:
    document = _yaml("docker-compose.yml")
    service = document["services"]["postgres"]
    assert re.fullmatch(r"postgres:18\.\d+", service["image"])
    assert service["volumes"] == ["data:/var/lib/postgresql"]  # not .../data: that is where images before 18 kept it
    assert "data" in document["volumes"]
    assert service["healthcheck"]["test"][1] == "pg_isready"


def test_compose_has_the_settings_that_matter_and_keeps_fsync_on() -> None:
    command = _yaml("docker-compose.yml")["services"]["postgres"]["command"]
    assert {"--wal_level=minimal", "--max_wal_senders=0", "--jit=off", "--synchronous_commit=off"} <= set(command)
    assert not [option for option in command if "fsync" in option]


def test_the_example_holds_no_secret_and_is_no_env_file_in_use() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert all(line.startswith("#") or not line.strip() for line in lines)
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {".env", ".warehouse/", ".venv/", "data/"} <= set(ignored)


def test_the_workflow_asks_for_little_and_pins_actions_by_hash() -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    workflow = _yaml(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    actions = re.findall(r"uses: (\S+)(.*)", text)
    assert actions
    for action, comment in actions:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action)
        assert re.match(r" # v\d+\.\d+\.\d+$", comment)
    assert "pull_request_target" not in text
    runs = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in runs
    assert {"make test", "make audit"} <= set(runs)


def test_make_help_names_every_target_that_a_user_calls() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "test", "check", "bench", "clean", "help", "lock", "audit"):
        assert re.search(rf"^  make {target} ", shown, flags=re.MULTILINE), target


def test_make_run_passes_folder_and_scale() -> None:
    command = ["make", "--dry-run", "run", "DATA=/a folder/with files", "SCALE=0.2", "--old-file=.venv/stamp"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert '.venv/bin/revops run --data "/a folder/with files"' in shown


def test_make_clean_leaves_the_warehouse() -> None:
    shown = subprocess.run(["make", "--dry-run", "clean"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "rm -rf .venv" in shown
    assert ".warehouse" not in shown


def test_ci_runs_the_suite_by_an_executable_script() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    assert {'run make test "$@"', "run make test-engines"} <= set(script.read_text().splitlines())
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_the_python_is_chosen_by_what_it_can_not_by_its_name(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # too old, or a shim of a version that is not there
    old.chmod(0o755)
    good = tmp_path / "python3.12"
    good.symlink_to(sys.executable)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    chosen = subprocess.run([ROOT / ".ci" / "python"], env=environ, capture_output=True, text=True, check=True)
    assert chosen.stdout == "python3.12\n"


def test_without_any_python_it_says_what_is_needed(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path)}
    done = subprocess.run(
        ["/bin/sh", ROOT / ".ci" / "python"], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Python 3.10 or newer is needed" in done.stderr


def test_the_lock_pins_every_package_with_hashes_and_names_no_place() -> None:
    text = (ROOT / "requirements.lock").read_text()
    packages = re.findall(r"^([A-Za-z0-9._-]+)==\S+(.*)$", text, flags=re.MULTILINE)
    assert len(packages) > 50
    assert all(rest.rstrip().endswith("\\") for _, rest in packages)
    assert not re.search(r"https?://|file:|--index-url|--find-links|/home/|/opt/", text)


def test_the_block_of_one_package_is_cut_out_of_the_lock(make_venv: types.ModuleType) -> None:
    before = "a==1 \\\n    --hash=sha256:x\n    # via b\n"
    block = "uv==2 \\\n    --hash=sha256:y \\\n    --hash=sha256:z\n"
    after = "    # via c\nuvloop==3 \\\n    --hash=sha256:q\n"
    assert make_venv.block_of("uv", before + block + after) == block
    assert "--hash=sha256:" in make_venv.block_of("uv", (ROOT / "requirements.lock").read_text())


def test_uv_looks_where_pip_is_configured_to_look(make_venv: types.ModuleType) -> None:
    listing = "global.index-url='https://files/simple'\nglobal.find-links='\\n/a\\n/b'\n:env:.index-url='https://env/simple'\n"
    options = make_venv.parse_options(listing)
    environ = make_venv.uv_environment(options, {"UV_FIND_LINKS": "/mine"})
    assert environ["UV_DEFAULT_INDEX"] == "https://env/simple"
    assert environ["UV_FIND_LINKS"] == "/mine"
    assert make_venv.uv_environment(options, {})["UV_FIND_LINKS"] == "/a,/b"


def test_no_file_tells_of_this_machine() -> None:
    names = ["Makefile", ".ci/run", ".ci/python", ".ci/make_venv.py", "docker-compose.yml", ".env.example"]
    for name in names:
        text = (ROOT / name).read_text()
        assert str(ROOT) not in text
        assert os.path.expanduser("~") + "/" not in text


@pytest.fixture
def fake_make(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder with a `make` that tells its process id and then sleeps or ends with 7, and the environment to use it."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "chromium").write_text("#!/bin/sh\n")
    (programs / "make").write_text(
        '#!/bin/sh\necho "$CI $*"\n[ "$2" = fail ] && exit 7\nsleep 60 &\necho $! > "$TOLD"\nwait\n'
    )
    for program in programs.iterdir():
        program.chmod(0o755)
    environ = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "TOLD": str(tmp_path / "pid")}
    return tmp_path / "pid", environ


def test_ci_passes_on_the_result_of_the_suite(fake_make: tuple[Path, dict[str, str]]) -> None:
    done = subprocess.run([ROOT / ".ci" / "run", "fail"], env=fake_make[1], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "true test fail\n")


def ended(process: int, within: float) -> bool:
    """Whether a process that need not be a child of this one ends within so many seconds."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_ci_that_is_ended_ends_the_suite(fake_make: tuple[Path, dict[str, str]]) -> None:
    told, environ = fake_make
    running = subprocess.Popen([ROOT / ".ci" / "run"], env=environ, stdout=subprocess.DEVNULL)
    for _ in range(300):
        if told.exists() and told.read_text().strip():
            break
        time.sleep(0.1)
    running.terminate()
    assert running.wait(30) == 143
    # A signal is delivered when the system gets to it, and nobody here is the sleeper's parent.
    assert ended(int(told.read_text()), within=10)
