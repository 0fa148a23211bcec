"""The page: HTML that needs no server and no network, readable in light and dark and on a telephone. Reads nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby

from revops.docs.project import LAYERS, Column, Described, State

ABOUT = {
    "serving": "what analysts read",
    "features": "point in time, looking back only",
    "facts": "typed events, with keys",
    "dimensions": "who, what and when",
    "quality": "rows that are kept aside, with a reason",
    "staging": "trimmed, cast and masked, no joins",
    "seeds": "tables kept in files of the project",
    "raw": "as landed, all text",
    "desk": "decisions of investigators",
    "ops": "notes of the loaders and builds that models read",
}
METRICS = "What the numbers mean"
_CSS = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --link: light-dark(#0550ae, #79b8ff); }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 75rem; padding: 1rem; overflow-wrap: anywhere; }
a { color: var(--link); }
header { position: sticky; top: 0; background: Canvas; padding: .5rem 0; border-bottom: 1px solid var(--line); z-index: 1; }
input { font: inherit; width: 100%; padding: .5rem; border: 1px solid var(--line); border-radius: .4rem; }
h1 { font-size: 1.4rem; } h2 { margin-top: 2.5rem; border-bottom: 2px solid var(--line); } h3 { margin: 2rem 0 .3rem; }
h2, section, tr { scroll-margin-top: 5rem; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th:nth-child(1) { width: 24%; } th:nth-child(2) { width: 11%; } th:nth-child(3) { width: 34%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } code { font-size: .9em; background: var(--soft); padding: 0 .2em; border-radius: .2em; }
:target { background: var(--soft); } .small { font-size: .875rem; opacity: .85; } ul { padding-left: 1.2rem; }
nav ul { columns: 17rem; list-style: none; padding: 0; }
@media (max-width: 44rem) {
  thead { display: none; }
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td { display: block; border: 0; padding: .1rem 0; }
}
"""
# A relation stays where its name or text matches; else it stays with those of its columns that match.
_SCRIPT = """
const search = document.getElementById("search"), none = document.getElementById("none");
const text = new Map(), of = e => text.get(e) ?? text.set(e, e.textContent.toLowerCase()).get(e);
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
  const fits = e => words.every(word => of(e).includes(word));
  let shown = 0;
  for (const section of document.querySelectorAll("section")) {
    const whole = fits(section.querySelector(".about"));
    let rows = 0;
    for (const row of section.querySelectorAll("tbody tr")) rows += !(row.hidden = !(whole || fits(row)));
    section.hidden = !(whole || rows);
    shown += !section.hidden;
  }
  none.hidden = shown > 0;
  for (const part of document.querySelectorAll("nav, main > h2, main > p:not(#none), #definitions"))
    part.hidden = words.length > 0;
  scrollTo(0, 0);
});
addEventListener("hashchange", () => { if (search.value) { search.value = ""; search.dispatchEvent(new Event("input")); } });
"""


def of(relations: Sequence[Described], definitions: str, state: State | None) -> str:
    """The page's text.

    Args:
        relations: in the order in which they are shown.
        definitions: of the metrics, in Markdown.
        state: what a database says, None where none was asked.
    """
    body = [
        '<header><input id="search" type="search" placeholder="Search relations, columns, meanings" '
        'aria-label="Search"></header>',
        "<main><h1>Card-transactions warehouse: what is in it</h1>",
        f"<p>{_state(state)}</p>" if state is not None else "",
        _contents(relations),
        '<p id="none" hidden>Nothing matches.</p>',
    ]
    for layer, group in groupby(relations, key=lambda relation: relation.layer):
        body.append(f'<h2 id="{layer}">{layer} <span class="small">{ABOUT[layer]}</span></h2>')
        body += [_section(relation, state) for relation in group]
    body += [f'<h2 id="metrics">{METRICS}</h2>', f'<div id="definitions">{_markdown(definitions)}</div></main>']
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            # Nothing may be fetched, from wherever: the page is whole.
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
            "script-src 'unsafe-inline'; img-src data:\">",
            '<link rel="icon" href="data:,"><title>Warehouse documentation</title>',
            f"<style>{_CSS}</style></head><body>",
            *body,
            f"<script>{_SCRIPT}</script></body></html>\n",
        ]
    )


def _state(state: State) -> str:
    freshness: Mapping[str, object] = next(iter(state.status["freshness"]), {})
    known = {name.replace("_", " "): str(value)[:16] for name, value in freshness.items() if value is not None}
    told = "; ".join(f"{name}: {value}" for name, value in known.items()) or "nothing has landed yet"
    return f"State of the database {escape(state.status['server']['url'])}: {escape(told)}."


def _contents(relations: Sequence[Described]) -> str:
    parts = ["<nav>"]
    for layer in LAYERS:
        names = [relation.name for relation in relations if relation.layer == layer]
        if names:
            links = "".join(f"<li>{_link(name)}</li>" for name in names)
            parts.append(f'<p><a href="#{layer}"><b>{layer}</b></a> {ABOUT[layer]}</p><ul>{links}</ul>')
    return "".join([*parts, f'<p><a href="#metrics"><b>{METRICS}</b></a></p></nav>'])


def _section(relation: Described, state: State | None) -> str:
    lines = [
        ("keys and indexes", [escape(key) for key in relation.keys]),
        ("freshness", [escape(relation.freshness)]),
        ("reads", [_links(relation.reads)] if relation.reads else []),
        ("read by", [_links(relation.read_by)] if relation.read_by else []),
        ("in the database", [escape(line) for line in state.lines.get(relation.name, ())] if state else []),
        ("tags", [escape(", ".join(relation.tags))] if relation.tags else []),
    ]
    facts = "".join(f"<li>{name}: {'; '.join(items)}</li>" for name, items in lines if items)
    rows = "".join(_row(relation, column) for column in relation.columns)
    checks = [
        *_folded("audits", (f"<code>{escape(audit)}</code>" for audit in relation.audits)),
        *_folded(
            "unit tests", (f"{escape(_sentence(name))} <code>{escape(file)}</code>" for name, file in relation.tests)
        ),
    ]
    return (
        f'<section id="{relation.name}"><div class="about"><h3>{relation.name} '
        f'<span class="small">{escape(relation.kind)} <code>{escape(relation.file)}</code></span></h3>'
        f'<p>{_inline(relation.description)}</p></div><ul class="small">{facts}</ul>'
        "<table><thead><tr><th>column</th><th>type</th><th>meaning</th><th>lineage</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{''.join(checks)}</section>"
    )


def _row(relation: Described, column: Column) -> str:
    lineage = f"from {_links(column.sources)}" if column.sources else ""
    if column.feeds:
        lineage += f"<details><summary>feeds: {len(column.feeds)}</summary>{_links(column.feeds)}</details>"
    return (
        f'<tr id="{escape(relation.name)}.{escape(column.name)}"><td><code>{escape(column.name)}</code></td>'
        f'<td class="small">{escape(column.type.lower())}</td><td>{_inline(column.meaning)}</td>'
        f'<td class="small">{lineage}</td></tr>'
    )


def _folded(title: str, items: Iterable[str]) -> list[str]:
    listed = list(items)
    if not listed:
        return []
    lines = "".join(f"<li>{item}</li>" for item in listed)
    return [f'<details class="small"><summary>{title}: {len(listed)}</summary><ul>{lines}</ul></details>']


def _link(name: str) -> str:
    return f'<a href="#{escape(name)}">{escape(name)}</a>'


def _links(names: Iterable[str]) -> str:
    return ", ".join(_link(name) for name in names)


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def _inline(text: str) -> str:
    return escape(" ".join(text.split()))


def _markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
