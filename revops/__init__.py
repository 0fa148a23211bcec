"""The command line and what it runs the warehouse with: server, lock, build, refresh, verify, status, menu."""

from meshkeys.settings import configure
from revops.declared import SETTINGS

configure(SETTINGS)  # here, so that no command can use the package with any others
