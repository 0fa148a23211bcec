"""The investigator who has signed in: a database login, kept in the session's memory, in whose name decisions are written."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class Login:
    """A database login. The password is in the memory of the session and nowhere else."""

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
        return
    if row.button("Sign in to decide", key="sign in", icon=":material/login:"):
        _ask()


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
    st.rerun()


def _is_up() -> bool:
    """Whether the dashboard's own connection works: then it is the login that does not."""
    try:
        return bool(database.ask(reader.url(), "SELECT TRUE"))
    except DatabaseUnavailable:
        return False


def _sign_out() -> None:
    st.session_state.pop(_SIGNED_IN, None)
