"""Makes .venv from requirements.lock: uv itself by pip, hash-checked, then all the rest by uv. Standard library only.

Run by `make` with any Python >= 3.10. Does nothing when .venv already holds what the lock says.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "stamp"
# What pip calls it, and what uv calls it: uv does not read pip's configuration.
INDEX_OPTIONS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}


def main() -> int:
    """Makes or completes .venv; returns the exit code."""
    wanted = fingerprint()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text(encoding="ascii") == wanted and runs(PYTHON):
        STAMP.touch()
        return 0
    try:
        make(wanted)
    except subprocess.CalledProcessError as error:
        program = " ".join(map(str, error.cmd[:4]))
        sys.stderr.write(f"Installing failed: {program} ... ended with exit code {error.returncode}; see above.\n")
        return 1
    return 0


def make(wanted: str) -> None:
    """Installs everything and notes what it installed."""
    if not (PYTHON.exists() and runs(PYTHON)):
        say(f"Making .venv with Python {sys.version.split()[0]}")
        shutil.rmtree(VENV, ignore_errors=True)
        make_venv()
    bootstrap = VENV / "uv.lock.txt"
    bootstrap.write_text(block_of("uv", LOCK.read_text(encoding="utf-8")), encoding="utf-8")
    say("Installing the locked dependencies")
    pip = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "--no-deps",
    ]
    run([*pip, "--requirement", str(bootstrap)])
    uv = [
        str(VENV / "bin" / "uv"),
        "pip",
        "install",
        "--quiet",
        "--python",
        str(PYTHON),
        "--no-deps",
        "--compile-bytecode",
    ]
    environ = uv_environment(pip_options(), os.environ)
    try:
        run([*uv, "--require-hashes", "--requirement", str(LOCK)], environ)
    except subprocess.CalledProcessError:
        say("uv could not install them; trying pip, which is slower")
        run([*pip, "--requirement", str(LOCK)])
    run([*uv, "--no-build-isolation", "--editable", str(ROOT)], environ)
    STAMP.write_text(wanted, encoding="ascii")


def make_venv() -> None:
    """An empty virtual environment with pip in it."""
    done = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.stderr.write(done.stdout + done.stderr)
        sys.stderr.write(
            "Python's venv module does not work here; on Debian and Ubuntu: apt-get install python3-venv\n"
        )
        raise subprocess.CalledProcessError(done.returncode, [sys.executable, "-m", "venv"])


def fingerprint() -> str:
    """What .venv depends on: the lock, the package's own metadata, the place (an editable install names it)."""
    content = LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + os.fsencode(ROOT)
    return hashlib.sha256(content).hexdigest() + "\n"


def block_of(name: str, lock: str) -> str:
    """One package's lines of a lock file: its version and its hashes."""
    lines: list[str] = []
    for line in lock.splitlines():
        if lines or line.startswith(f"{name}=="):
            lines.append(line)
            if not line.endswith("\\"):
                break
    if not lines:
        raise SystemExit(f"{LOCK.name} does not hold {name}: run `make lock`")
    return "\n".join(lines) + "\n"


def pip_options() -> dict[str, str]:
    """Where pip would look for packages, from its configuration files and environment."""
    command = [str(PYTHON), "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return parse_options(done.stdout)


def parse_options(listing: str) -> dict[str, str]:
    """The index options in the output of `pip config list`; the environment's win over the files'."""
    found: dict[str, str] = {}
    for line in sorted(listing.splitlines(), key=lambda line: line.startswith(":env:")):
        key, _, value = line.partition("=")
        option = key.rpartition(".")[2]
        if option in INDEX_OPTIONS:
            try:
                found[option] = " ".join(str(ast.literal_eval(value)).split())
            except (ValueError, SyntaxError):
                continue
    return found


def uv_environment(options: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment that makes uv look where pip would look; what is set for uv already stays."""
    result = dict(environ)
    for option, value in options.items():
        separator = "," if option == "find-links" else " "
        result.setdefault(INDEX_OPTIONS[option], separator.join(value.split()))
    result.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # safe: every file's hash is in the lock
    result.setdefault("UV_LINK_MODE", "copy")  # the server's programs must not share their files with a private cache
    return result


def runs(python: Path) -> bool:
    """Whether an environment's Python works, and is new enough (a moved or half-made one is not)."""
    check = "import sys, pip; sys.exit(sys.version_info < (3, 10))"
    try:
        return subprocess.run([str(python), "-c", check], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run(command: list[str], environ: Mapping[str, str] | None = None) -> None:
    """Runs a command in the project's folder; its output is shown."""
    subprocess.run(command, cwd=ROOT, env=environ, check=True)


def say(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
