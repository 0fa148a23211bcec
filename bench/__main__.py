"""What there is to measure: `python -m bench` lists it."""

from __future__ import annotations

from pathlib import Path

if __name__ == "__main__":
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        text = path.read_text(encoding="utf-8")
        if '__name__ == "__main__"' not in text:
            continue
        first = text.lstrip('"').splitlines()[0].rstrip('"')
        print(f"python -m bench.{path.stem:<10} {first}")
