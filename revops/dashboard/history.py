"""Mends how the pinned Streamlit goes back and forward in the browser's history.

After such a step its script tells the server the address of the page that was left: the number of a card on the page of a
transaction. Newer versions read the browser's address there (github.com/streamlit/streamlit/issues/13963), but do not get on with
the web server that SQLMesh's interface needs. Until they do, the script is served with that correction.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

RETURNED = "returned"
"""In what a page is told of its address, where the browser went back or forward to it: the address is then all that is chosen."""

# In the function that asks the server to make a page: `i` is an address that a link gives, `a` says that it is a step in history.
STALE = "c=i??this.getQueryString()"
_MENDED = (
    "c=i??(a?(this.setState({queryParams:document.location.search.substring(1)}),"
    f"document.location.search.substring(1)+`&{RETURNED}=yes`):this.getQueryString())"
)


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

    vars(server)[routes.StaticFileHandler.__name__] = StaticFiles


@lru_cache
def mended(path: str) -> bytes:
    """The script, corrected."""
    return Path(path).read_bytes().replace(STALE.encode(), _MENDED.encode())


def _is_script(path: str) -> bool:
    name = Path(path).name
    return name.startswith("index.") and name.endswith(".js")
