"""The macros for keys, indexes and materialized views, which models declare: see meshkeys/macros.py."""

from __future__ import annotations

import meshkeys
from revops.declared import SETTINGS

meshkeys.register(SETTINGS)
