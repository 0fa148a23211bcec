"""Addresses of pages, and how one leads to another. A page that is left keeps its filters in the address of the next one."""

from __future__ import annotations

from typing import Any, NoReturn

import streamlit as st

from revops.dashboard.filters import Filters

# Pages by their path, for as long as one of them is made.
_PAGES = "pages by path"


def register(pages: dict[str, Any]) -> None:
    """Tells which page has which path."""
    st.session_state[_PAGES] = pages


def go(path: str, chosen: Filters, **more: object) -> NoReturn:
    """Shows another page in place of this one."""
    st.switch_page(st.session_state[_PAGES][path], query_params=_address(chosen, more))


def link(path: str, label: str, chosen: Filters, icon: str | None = None, **more: object) -> None:
    """A link to another page."""
    st.page_link(
        st.session_state[_PAGES][path], label=label, icon=icon, query_params=_address(chosen, more), width="content"
    )


def number(name: str) -> int | None:
    """A number in the address of this page; None where there is none."""
    text = st.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 16 else None


def _address(chosen: Filters, more: dict[str, object]) -> dict[str, str]:
    return {**chosen.address(), **{name: str(value) for name, value in more.items() if value is not None}}


def follow(clicked: Any, chosen: Filters, **more: object) -> None:
    """From a clicked cell of a table of transactions to the page of what is in it.

    Any other cell leads to the transaction, whose address says more.
    """
    if clicked is None:
        return
    row, column = clicked
    moment = row.get("transacted_at")
    if column == "card_id":
        go("card", chosen, id=row.card_id, at=None if moment is None else f"{moment:%Y-%m-%d}")
    if column == "client_id":
        go("client", chosen, id=row.client_id)
    if column == "merchant_id":
        go("merchant", chosen, id=row.merchant_id)
    go("transaction", chosen, **more, id=row.transaction_id)
