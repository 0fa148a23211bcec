"""Mends how the pinned Streamlit goes back and forward in the browser's history, and where a page begins.

After such a step its script tells the server the address of the page that was left: the number of a card on the page of a
transaction. And a click that leads to another page makes two steps: the page that is left, with the address of the next one, is
between them. Newer versions mend the first (github.com/streamlit/streamlit/issues/13963), but do not get on with the web server
that SQLMesh's interface needs. Until they do, the script is served with both corrections; and with one that shows the top of a
page to which a click leads, where Streamlit keeps how far the last one was scrolled.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

RETURNED = "returned"
"""In what a page is told of its address, where the browser went back or forward to it: the address is then all that is chosen."""

_SEARCH = "document.location.search"
_STEP = "window.history[this.led?`replaceState`:`pushState`]"
_TO_THE_TOP = "document.querySelector(`[data-testid=stMain]`)?.scrollTo(0,0)"
CHANGES = (
    # What asks the server to make a page: `i` is an address that a link gives, `a` says that it is a step in history.
    (
        "c=i??this.getQueryString()",
        f"c=(this.led=!1,i??(a?(this.setState({{queryParams:{_SEARCH}.substring(1)}}),"
        f"{_SEARCH}.substring(1)+`&{RETURNED}=yes`):this.getQueryString()))",
    ),
    # What the server says of the address. A request of the reader's is one step, however often it changes: `led` is whether
    # the step has been made.
    (
        "window.history.pushState({},``,n),",
        f"n!==document.location.pathname+{_SEARCH}&&({_STEP}({{}},``,n),this.led=!0),",
    ),
    # Another page, to which the reader was led: a step in history has its path before the server says so.
    ("window.history.pushState({},``,o)", f"{_STEP}({{}},``,o),this.led=!0,{_TO_THE_TOP}"),
)
"""Parts of the script, and what is in their place."""


def mend() -> None:
    """Has Streamlit's server, which is started afterwards in this process, serve its script with the correction."""
    from streamlit.web.server import routes, server

    class StaticFiles(routes.StaticFileHandler):
        @classmethod
        def get_content(cls, abspath: str, start: int | None = None, end: int | None = None) -> Any:
            if _is_script(abspath):
                return mended(abspath)[start:end]
            return super().get_content(abspath, start, end)

        def get_content_size(self) -> int:
            path = str(self.absolute_path)
            return len(mended(path)) if _is_script(path) else super().get_content_size()

        def set_extra_headers(self, path: str) -> None:
            super().set_extra_headers(path)
            if _is_script(path):  # of the same name as the script without corrections
                self.set_header("Cache-Control", "no-cache")

    vars(server)[routes.StaticFileHandler.__name__] = StaticFiles


@lru_cache
def mended(path: str) -> bytes:
    """The script, corrected."""
    text = Path(path).read_text(encoding="utf-8")
    for part, correction in CHANGES:
        text = text.replace(part, correction)
    return text.encode()


def _is_script(path: str) -> bool:
    name = Path(path).name
    return name.startswith("index.") and name.endswith(".js")
