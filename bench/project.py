"""Owns copies of the SQLMesh project: whole, or its core, the relations that the script by hand makes too."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORE = (
    "dim_cards", "dim_dates", "dim_mcc", "dim_users", "fct_transactions", "fct_fraud_labels", "fct_outcomes",
    "fct_reversals", "enriched_transactions", "us_states", "countries", "known_exceptions",
)  # fmt: skip
PROJECT = ("config.yaml", "models", "macros", "audits", "seeds", "external_models", "linter")


def copied(folder: Path, whole: bool) -> Path:
    """Copies the project to a folder that is not there yet, with the models of the core alone unless it is to be whole."""
    folder.mkdir(parents=True)
    for name in PROJECT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, folder / name)
    if whole:
        return folder
    for layer in ("seeds", "dimensions", "facts", "features", "serving"):
        for path in (folder / "models" / layer).iterdir():
            if path.stem not in CORE:
                path.unlink()
    config = folder / "config.yaml"  # a core is no complete project, and not all lint rules hold in it
    config.write_text(config.read_text().replace("linter:\n  enabled: true", "linter:\n  enabled: false"))
    shutil.copystat(ROOT / "config.yaml", config)  # SQLMesh's cache goes by the time of change
    return folder
