"""The investigator who has signed in: a database login, kept in the server's memory, in whose name decisions are written.

A page that is reloaded is a new session. Its browser's tab holds a random token, by which the server finds the login again: the
token is in the tab's sessionStorage, which neither other tabs nor servers on other ports see, as they would see a cookie.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import psycopg2
import streamlit as st
from psycopg2 import errors
from psycopg2.extensions import make_dsn

from foundation import database
from foundation.errors import DatabaseUnavailable, UsageError, first_line
from revops.dashboard import parts, reader
from revops.roles import INVESTIGATOR

DECIDE = "SELECT desk.decide(%(alert)s, %(decision)s, %(note)s, %(assignee)s)"

_MAY_DECIDE = (
    "SELECT coalesce(has_function_privilege(to_regprocedure('desk.decide(bigint,text,text,text)'), 'EXECUTE'), FALSE)"
)
_SIGNED_IN = "investigator"
_TOKEN = "investigator's token"
_TAB = "tab"
# Seconds after which a reloaded page asks to sign in again: a working day.
LONGEST = 12 * 60 * 60
# Told a token, the tab keeps it; told an empty one, it forgets; told nothing, it says what it keeps.
_SCRIPT = """
export default function({ data, setTriggerValue }) {
    const name = "revops signed in";
    if (data) sessionStorage.setItem(name, data);
    else if (data === "") sessionStorage.removeItem(name);
    else if (sessionStorage.getItem(name)) setTriggerValue("token", sessionStorage.getItem(name));
}
"""
_kept: dict[str, Login] = {}


@dataclass(frozen=True)
class Login:
    """A database login. The password is in the memory of the server and nowhere else."""

    name: str
    password: str = field(repr=False)

    def dsn(self) -> str:
        """The dashboard's database, as this login."""
        return str(make_dsn(reader.url(), user=self.name, password=self.password))


def current() -> Login | None:
    """Who has signed in; None for nobody."""
    found: Login | None = st.session_state.get(_SIGNED_IN)
    return found


def name() -> str | None:
    """The name of who has signed in."""
    login = current()
    return None if login is None else login.name


def bar() -> None:
    """Who has signed in, or the form to do so."""
    login = current()
    row = st.container(horizontal=True, vertical_alignment="center", gap="small")
    if login is not None:
        row.caption(f"Decisions are made as **{parts.plain(login.name)}**.")
        row.button("Sign out", key="sign out", on_click=_sign_out, type="tertiary", icon=":material/logout:")
        is_asked = False
    else:
        is_asked = row.button("Sign in to decide", key="sign in", icon=":material/login:")
    with row:  # last, because its pixel and the gap beside it would move the others
        _tab(st.runtime.get_instance())(
            key=_TAB, data=st.session_state.get(_TOKEN), on_token_change=_return, height=1, width=1
        )
    if is_asked:
        _ask()


@lru_cache(maxsize=1)
def _tab(_runtime: Any) -> Any:
    """The component that speaks with the browser's tab, registered once with the server that runs."""
    return st.components.v2.component("tab", js=_SCRIPT)


@st.dialog("Sign in to decide")
def _ask() -> None:
    with st.form("sign in form", border=False):
        st.caption(f"With a database login of your own, in the role {INVESTIGATOR}.")
        user = st.text_input("Name", key="login name", autocomplete="username")
        password = st.text_input("Password", key="login password", type="password", autocomplete="current-password")
        if st.form_submit_button("Sign in"):
            _sign_in(Login(user.strip(), password))


def decide(login: Login, alert: int, decision: str, note: str, assignee: str | None) -> None:
    """Writes a decision as this login.

    Raises:
        UsageError: the database refused it; says why.
        DatabaseUnavailable: it cannot be reached, or no longer as this login.
    """
    values = {"alert": alert, "decision": decision, "note": note, "assignee": assignee}
    with closing(database.connect(login.dsn(), "revops desk")) as connection, connection, connection.cursor() as cursor:
        try:
            for setting, limit in reader.LIMITS.items():
                cursor.execute("SELECT set_config(%s, %s, TRUE)", (setting, limit))
            cursor.execute(DECIDE, values)
        except errors.InsufficientPrivilege:
            raise UsageError(
                f"{login.name} may not decide.\n  It needs the role {INVESTIGATOR} (docs/security.md)."
            ) from None
        except psycopg2.Error as error:
            raise UsageError(f"The decision was not saved: {first_line(error)}") from None


def _sign_in(login: Login) -> None:
    try:
        may = database.ask(login.dsn(), _MAY_DECIDE)
    except DatabaseUnavailable as error:
        st.error("Name or password is wrong, or the login may not connect." if _is_up() else parts.plain(str(error)))
        return
    if not may:
        st.error(f"{parts.plain(login.name)} is no member of {INVESTIGATOR}: see docs/security.md.")
        return
    st.session_state[_SIGNED_IN] = login
    st.session_state[_TOKEN] = keep(login)
    st.rerun()


def keep(login: Login) -> str:
    """Keeps a login for as long as it may be found again; returns its token."""
    token = secrets.token_urlsafe(32)
    _kept[token] = login
    end = threading.Timer(LONGEST, _kept.pop, (token, None))
    end.daemon = True
    end.start()
    return token


def kept(token: str) -> Login | None:
    """The login of a token; None where it has ended, was signed out, or is of another run of the server."""
    return _kept.get(token)


def _return() -> None:
    """Signs in again the session of a tab that was reloaded; a token that is not known is forgotten."""
    token = st.session_state[_TAB].token
    if (login := kept(token)) is not None:
        st.session_state[_SIGNED_IN] = login
    st.session_state[_TOKEN] = "" if login is None else token


def _is_up() -> bool:
    """Whether the dashboard's own connection works: then it is the login that does not."""
    try:
        return bool(database.ask(reader.url(), "SELECT TRUE"))
    except DatabaseUnavailable:
        return False


def _sign_out() -> None:
    st.session_state.pop(_SIGNED_IN, None)
    _kept.pop(st.session_state.get(_TOKEN) or "", None)
    st.session_state[_TOKEN] = ""
