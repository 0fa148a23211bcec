"""Owns the measurement of the dashboard: seconds until each page is painted, and until it is made to its foot.

    python -m bench.pages [--rounds 3] [--url http://127.0.0.1:8501] [--screenshots FOLDER]

Reads the selected warehouse with `revops dashboard`, which it starts and stops, unless --url names a running one. Opened is a
page by its address in a new window; switched is one by the menu of the page before it. Painted is the browser's first
contentful paint; made is when nothing of the page is still to come but the drawing of its charts. The first round is not
counted. --screenshots keeps each page and view at 1440 and at 390 pixels, light and dark.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, Literal

import psycopg2

from bench import browsing, machine
from revops import settings
from revops.dashboard import sections
from revops.dashboard.sections.section import Section
from revops.embedded import server

WIDTH, HEIGHT = 1440, 1000
LOOKS: tuple[tuple[int, Literal["dark", "light"]], ...] = (
    (1440, "light"),
    (1440, "dark"),
    (390, "light"),
    (390, "dark"),
)
# The card, client, merchant and transaction of the last alert: the pages that others lead to are of a number.
_NUMBERS = """
SELECT card_id, client_id, merchant_id, transaction_id
FROM serving.fraud_alerts
ORDER BY transacted_on DESC, transaction_id DESC
LIMIT 1
"""
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"
_VIEWS = ".st-key-segments-view button"
_IN_MENU = tuple(section for section in sections.ALL if section.group)


def measure(address: str, numbers: Mapping[str, int], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of each round by page, and by what was measured: painted, made, switched."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with browsing.browser() as browser:
        for number in range(rounds + 1):
            for section in sections.ALL:
                page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
                began = time.perf_counter()
                page.goto(address + path_of(section, numbers), wait_until="commit")
                browsing.wait(page)
                made = time.perf_counter() - began
                if number:
                    found[section.path]["painted"].append(page.evaluate(_PAINTED))
                    found[section.path]["made"].append(made)
                page.close()
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(address + path_of(_IN_MENU[0], numbers))
            browsing.wait(page)
            for section in (*_IN_MENU[1:], _IN_MENU[0]):
                seconds = switched(page, section)
                if number:
                    found[section.path]["switched"].append(seconds)
            page.close()
    return found


def path_of(section: Section, numbers: Mapping[str, int]) -> str:
    """The address of a page, of a number where it is of one."""
    return f"/{section.path}" + (f"?id={numbers[section.path]}" if section.path in numbers else "")


def switched(page: Any, section: Section) -> float:
    """Seconds from a click on the page in the menu until it is made."""
    link = page.locator(f"[data-testid=stTopNavLink][href*='/{section.path}']")
    if not link.count():  # in a menu that opens
        page.get_by_test_id("stTopNavSection").filter(has_text=section.group).first.click()
        link = page.locator(f"[href*='/{section.path}']")
        link.first.wait_for()
    began = time.perf_counter()
    link.first.click()
    page.wait_for_url(f"**/{section.path}*", timeout=browsing.PATIENCE)
    page.get_by_text(section.units or "Find").first.wait_for(timeout=browsing.PATIENCE)
    browsing.wait(page)
    return time.perf_counter() - began


def photograph(address: str, numbers: Mapping[str, int], folder: Path) -> None:
    """Each page as PNG, from its top to its foot, and each view of one that has several."""
    folder.mkdir(parents=True, exist_ok=True)
    with browsing.browser() as browser:
        for width, scheme in LOOKS:
            page = browser.new_page(viewport={"width": width, "height": 2400}, color_scheme=scheme)
            for section in sections.ALL:
                page.goto(address + path_of(section, numbers))
                browsing.wait(page)
                for number, view in enumerate(page.locator(_VIEWS).all_inner_texts() or [""]):
                    if number:
                        page.locator(_VIEWS).get_by_text(view, exact=True).click()
                        page.wait_for_url("**view=**", timeout=browsing.PATIENCE)
                        browsing.wait(page)
                    page.wait_for_timeout(2000)  # charts are drawn after the page is made
                    name = f"{section.path}-{view.lower().replace(' ', '_')}".rstrip("-")
                    page.screenshot(path=str(folder / f"{name}-{width}-{scheme}.png"))
            page.close()


def main() -> None:
    """Measures, and takes the pictures that are asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--url", help="of a running dashboard")
    options.add_argument("--screenshots", type=Path, metavar="FOLDER")
    chosen = options.parse_args()
    dsn = server.up(settings.load())
    print(machine.described(dsn), end="")
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute(_NUMBERS)
        numbers = dict(zip(("card", "client", "merchant", "transaction"), cursor.fetchone() or (), strict=False))
    with nullcontext(chosen.url) if chosen.url else browsing.dashboard() as address:
        found = measure(address, numbers, chosen.rounds)
        if chosen.screenshots:
            photograph(address, numbers, chosen.screenshots)
    print(
        f"seconds, medians of {chosen.rounds}\n{'':<14}"
        + "".join(f"{name:>10}" for name in ("painted", "made", "switched"))
    )
    for path, series in found.items():
        shown = "".join(f"{statistics.median(values):>10.2f}" for values in series.values())
        print(f"{path:<14}{shown}{'' if 'switched' in series else ' ' * 10}{machine.verdict(*series.values())}")


if __name__ == "__main__":
    main()
