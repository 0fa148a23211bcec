"""What Streamlit runs: the pages' list, and around each of them a connection, the banner and plain words for errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
import streamlit as st
from psycopg2 import errors

from foundation import database
from foundation.errors import RevopsError
from revops import demo_set
from revops.dashboard import reader, sections
from revops.dashboard.reader import Reader
from revops.terminal import display, failures

# Given as a picture: the name of an icon would make the browser ask a server outside for it.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect x="1" y="4" width="22" height="16" rx="3" '
    'fill="#0f766e"/><rect x="1" y="8" width="22" height="3" fill="#fff"/></svg>'
)

_log = logging.getLogger(__name__)


def main() -> None:
    """Shows the page that the address asks for."""
    st.set_page_config(page_title="Card transactions", page_icon=ICON, layout="wide")
    chosen = st.navigation(
        [
            st.Page(_shown(section.show), title=section.title, icon=section.icon, url_path=section.path)
            for section in sections.ALL
        ],
        position="top",
    )
    chosen.run()


def _shown(show: Callable[[Reader], None]) -> Callable[[], None]:
    def page() -> None:
        with _plain_errors(), reader.opened(reader.url()) as opened:
            if opened.value(demo_set.MARK) == demo_set.SYNTHETIC:
                st.warning("**Synthetic demo data.** No row behind these figures is real.", icon=":material/science:")
            show(opened)
            st.caption(f"Read from `serving` as `{opened.reads_as}`, read only.")

    return page


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
        st.error("The database took too long to answer. It may be busy; try again in a moment.")
    except (psycopg2.Error, RevopsError) as error:
        known = failures.known(error) or error
        text = database.redact(str(known), reader.url())
        _log.warning("%s", text)
        st.error("The figures cannot be read.")
        st.code(text, language=None)


if __name__ == "__main__":
    main()
