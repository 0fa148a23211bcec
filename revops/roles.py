"""The roles of the warehouse: who may do what, and who owns what is built. What the analyst reads is declared in the models.

    revops_loader        writes raw and ops
    revops_transformer   reads raw and ops, owns all that SQLMesh builds
    revops_analyst       reads what the models of serving grant, and nothing else; calls desk.what_if, which returns sums alone
    revops_investigator  reads what the analyst reads, and decides on alerts by calling desk.decide

`meshkeys.roles` makes them and keeps their rights.
"""

from __future__ import annotations

from meshkeys.settings import Roles

LOADER = "revops_loader"
TRANSFORMER = "revops_transformer"
ANALYST = "revops_analyst"
INVESTIGATOR = "revops_investigator"

READ = ("SELECT",)
WRITE = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")

ROLES = Roles(
    names=(LOADER, TRANSFORMER, ANALYST, INVESTIGATOR),
    owner=TRANSFORMER,
    # What each may do with the tables of a schema. USAGE on serving is granted here for prod, by hand for other environments;
    # what may be read in it is declared in the models.
    rights=(
        (LOADER, "raw", WRITE),
        (LOADER, "ops", WRITE),
        (TRANSFORMER, "raw", READ),
        (TRANSFORMER, "ops", READ),
        (TRANSFORMER, "desk", READ),
        (ANALYST, "serving", ()),
        (ANALYST, "desk", ()),
        (INVESTIGATOR, "desk", ()),
    ),
    # REFRESH MATERIALIZED VIEW CONCURRENTLY makes a temporary table as the view's owner.
    database_rights=((LOADER, "CONNECT"), (TRANSFORMER, "CONNECT, TEMPORARY"), (ANALYST, "CONNECT")),
    members=((INVESTIGATOR, ANALYST),),
    calls=((INVESTIGATOR, "desk", "decide"), (ANALYST, "desk", "what_if")),
)
