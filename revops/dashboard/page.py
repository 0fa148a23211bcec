"""What Streamlit runs: the pages' list, and around each a connection, the controls, the banner, plain words for errors."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import streamlit as st
from psycopg2 import errors

from foundation import database
from foundation.errors import RevopsError
from revops import demo_set
from revops.dashboard import filters, links, parts, reader, sections
from revops.dashboard.sections.section import Section
from revops.terminal import display, failures

# Given as a picture: the name of an icon would make the browser ask a server outside for it.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect x="1" y="4" width="22" height="16" rx="3" '
    'fill="#2563eb"/><rect x="1" y="8" width="22" height="3" fill="#fff"/></svg>'
)

# As many digits as a card number has, however they are grouped: such a number is put into no address.
_CARD_NUMBER = re.compile(r"(\d[ -]?){12}")

_log = logging.getLogger(__name__)


def main() -> None:
    """Shows the page that the address asks for."""
    st.set_page_config(page_title="Card transactions", page_icon=ICON, layout="wide")
    pages = {section.path: _page(section) for section in sections.ALL}
    links.register(pages)
    # The default page has no address but the root, so it is one that shows nothing: each page opens by its own address.
    root = st.Page(lambda: st.switch_page(pages["yesterday"], query_params=st.query_params.to_dict()), title="Start",
                   default=True, visibility="hidden")  # fmt: skip
    groups: dict[str, list[Any]] = {"": [root]}
    for section in sections.ALL:
        groups.setdefault(section.group or "", []).append(pages[section.path])
    st.navigation(groups, position="top").run()


def _page(section: Section) -> Any:
    return st.Page(
        _shown(section),
        title=section.title,
        icon=f":material/{section.icon}:",
        url_path=section.path,
        visibility="visible" if section.group else "hidden",
    )


def _shown(section: Section) -> Callable[[], None]:
    def page() -> None:
        with _plain_errors(), reader.opened(reader.url()) as opened:
            if demo_set.says_synthetic(opened.value(demo_set.MARK)):
                st.warning("**Synthetic demo data.** No row behind these figures is real.", icon=":material/science:")
            chosen = filters.current()
            _find(chosen)
            if section.is_filtered:
                filters.bar(opened, chosen, section.back, section.cleared)
            if said := filters.in_words(opened, chosen):
                parts.note(f"Chosen: {said}")
            if section.units:
                parts.note(f"Units: {section.units}")
            section.show(opened, chosen)
            st.caption(f"Read from `serving` as `{opened.reads_as}`, read only.")

    return page


def _find(chosen: filters.Filters) -> None:
    """The box that looks for any number."""

    def look() -> None:
        st.session_state["asked"] = st.session_state.pop("find", "").strip()

    st.text_input(
        "Find", key="find", placeholder="Find a card, client, merchant or transaction by its number",
        label_visibility="collapsed", icon=":material/search:", on_change=look,
    )  # fmt: skip
    asked = st.session_state.pop("asked", "")
    if _CARD_NUMBER.search(asked):
        st.warning(
            "That may be a card number: it was not looked for, and is not in the address. Here a card has another number."
        )
    elif asked:
        links.go("search", chosen, q=asked)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Says what happened and what to do in place of a traceback; the rest goes to the terminal, without the password."""
    try:
        yield
    except (errors.UndefinedTable, errors.InvalidSchemaName) as error:
        _log.info("%s", error)
        st.info(f"Nothing is built here yet. In a terminal: `{display.program()} run`", icon=":material/construction:")
    except errors.InsufficientPrivilege as error:
        _log.warning("%s", error)
        st.error(f"This account may not read all of `serving`. `{display.program()} build` grants what is missing.")
    except errors.QueryCanceled as error:
        _log.warning("%s", error)
        st.error("The database took too long to answer. Choose fewer days, or try again in a moment.")
    except (psycopg2.Error, RevopsError) as error:
        known = failures.known(error) or error
        text = database.redact(str(known), reader.url())
        _log.warning("%s", text)
        st.error("The figures cannot be read.")
        st.code(text, language=None)


if __name__ == "__main__":
    main()
