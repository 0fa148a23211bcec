"""Owns the pictures of README: the layers as SVG, pages of the dashboard as PNG. Needs a built warehouse and Chromium.

    python -m bench.pictures [--out docs/pictures] [--url http://127.0.0.1:8501]

Without --url it starts `revops dashboard` on the selected warehouse, and stops it afterwards. Take pictures of a generated set
only: what they show is committed.
"""

from __future__ import annotations

import argparse
import io
from html import escape
from pathlib import Path

from bench import browsing

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "pictures"
PAGES = {"month": "/overview", "alerts": "/alerts"}  # name of the picture, path of the page
WIDTH, HEIGHT = 1280, 1180
COLOURS = 48  # of a PNG: enough for text and bars, and a third of the bytes

LAYERS = (
    ("raw", "as landed, text; replaceable file by file", "ops.load_files, ops.rejected_rows"),
    ("staging", "trimmed, cast, masked; what does not cast says why", ""),
    ("dimensions, facts", "typed, with keys and indexes", "quality: orphans, duplicates, faulty rows"),
    ("features", "point in time, looking back only", ""),
    ("serving", "one wide materialized view, reports, a star", "read by revops_analyst"),
)
BEFORE = ("files", "csv, json, parquet; gz, zip, zst", "card numbers become tokens on the way")
AFTER = ("readers", "dashboard, psql, BI tools, files", "never blocked by a build")


def layers() -> str:
    """The way of a row as SVG: boxes from the files down to the readers, what is kept aside at their right."""
    boxes = (BEFORE, *LAYERS, AFTER)
    width, step, height = 880, 92, 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {step * len(boxes) - 16}" role="img" '
        'font-family="system-ui, sans-serif" aria-label="From files through raw, staging, dimensions and facts, features '
        'and serving to the readers">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for number, (name, what, aside) in enumerate(boxes):
        top = 8 + number * step
        is_outside = number in (0, len(boxes) - 1)
        fill, stroke = ("#f3f4f6", "#9ca3af") if is_outside else ("#eff6ff", "#2563eb")
        parts.append(f'<rect x="8" y="{top}" width="500" height="{height}" rx="8" fill="{fill}" stroke="{stroke}"/>')
        parts.append(
            f'<text x="24" y="{top + 26}" font-size="17" font-weight="600" fill="#111827">{escape(name)}</text>'
        )
        parts.append(f'<text x="24" y="{top + 47}" font-size="14" fill="#374151">{escape(what)}</text>')
        if aside:
            middle = top + height // 2
            parts.append(f'<path d="M508 {middle} h32" stroke="#9ca3af" fill="none" stroke-dasharray="4 3"/>')
            parts.append(f'<text x="548" y="{middle + 5}" font-size="14" fill="#4b5563">{escape(aside)}</text>')
        if number < len(boxes) - 1:
            foot = top + height
            parts.append(f'<path d="M258 {foot} v22 m-6 -8 l6 8 l6 -8" stroke="#2563eb" stroke-width="2" fill="none"/>')
            who = {0: "loaders: checked, protected, COPY"}.get(number, "SQLMesh" if number < len(LAYERS) else "")
            parts.append(f'<text x="276" y="{foot + 20}" font-size="13" fill="#6b7280">{who}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def photograph(address: str, out: Path) -> None:
    """The pages, each made to its end, as PNG with few colours."""
    from PIL import Image

    with browsing.browser() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        for name, path in PAGES.items():
            page.goto(address + path)
            browsing.wait(page)
            page.wait_for_timeout(2000)  # charts are drawn after the page is made
            taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            taken.quantize(COLOURS, dither=Image.Dither.NONE).save(out / f"{name}.png", optimize=True)


def main() -> None:
    """Writes all of them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=OUT)
    options.add_argument("--url", help="of a running dashboard")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "layers.svg").write_text(layers(), encoding="utf-8")
    if chosen.url:
        photograph(chosen.url, chosen.out)
    else:
        with browsing.dashboard() as address:
            photograph(address, chosen.out)
    for path in sorted(chosen.out.iterdir()):
        print(f"{path.stat().st_size:>8} bytes  {path}")


if __name__ == "__main__":
    main()
