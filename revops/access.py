"""What the analyst and the investigator may do, from the catalog, inherited and PUBLIC rights included. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from foundation.queries import scalar
from revops.roles import ANALYST, INVESTIGATOR, ROLES

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_RELATIONS = """
SELECT n.nspname || '.' || c.relname, d.model IS NOT NULL, n.nspname ~ '^serving(__|$)',
       has_schema_privilege(%(role)s, n.oid, 'USAGE') AND has_any_column_privilege(%(role)s, c.oid, 'SELECT'),
       has_table_privilege(%(role)s, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
       OR has_any_column_privilege(%(role)s, c.oid, 'INSERT, UPDATE'),
       EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname ~ '(^|_)(token|address|birth_month)$')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN ops.declarations AS d ON d.model = n.nspname || '.' || c.relname AND n.nspname = 'serving'
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname !~ '^pg_(toast|temp)'
ORDER BY 1
"""
_PLACES_TO_MAKE_THINGS_IN = """
SELECT 'schema ' || nspname FROM pg_namespace WHERE has_schema_privilege(%(role)s, oid, 'CREATE') AND nspname !~ '^pg_temp'
UNION ALL SELECT 'the database' WHERE has_database_privilege(%(role)s, current_database(), 'CREATE')
"""
# They run with the rights of their owner.
_FUNCTIONS = """
SELECT n.nspname || '.' || p.proname FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.prosecdef AND has_schema_privilege(%(role)s, n.oid, 'USAGE') AND has_function_privilege(%(role)s, p.oid, 'EXECUTE')
  AND NOT pg_has_role(%(role)s, p.proowner, 'USAGE') AND NOT (n.nspname || '.' || p.proname = ANY (%(calls)s))
ORDER BY 1
"""


@dataclass(frozen=True)
class Access:
    """What a role may do.

    Attributes:
        role: which.
        role_exists: whether there is such a role; without it only the owning account reads anything.
        served: how many relations of serving it reads.
        others: how many other relations there are.
        faults: rights that it has and should not have, and the other way round, in words.
    """

    role: str
    role_exists: bool
    served: int
    others: int
    faults: tuple[str, ...]

    def __str__(self) -> str:
        if not self.role_exists:
            return f"there is no role {self.role}: only the owner reads anything; docs/security.md has the SQL"
        return (
            "; ".join(self.faults[:3])
            or f"{self.role} reads {self.served} relations of serving, none of {self.others} others"
        )


def of_readers(cursor: Cursor) -> Access:
    """What the analyst may do; or the investigator, where that one may do something that it should not."""
    analyst, investigator = (of_role(cursor, role) for role in (ANALYST, INVESTIGATOR))
    return investigator if investigator.faults and not analyst.faults else analyst


def of_role(cursor: Cursor, role: str) -> Access:
    """Looks up every relation of the database, including those that others made, and what runs with another's rights."""
    if scalar(cursor, "SELECT to_regrole(%s)", (role,)) is None:
        return Access(role, False, 0, 0, ())
    served = others = 0
    faults: list[str] = []
    calls = [f"{schema}.{name}" for caller, schema, name in ROLES.calls if _is_of(caller, role)]
    values = {"role": role, "calls": calls}
    cursor.execute(_RELATIONS, values)
    for name, is_model, is_serving, reads, writes, is_telling in cursor.fetchall():
        served += bool(is_serving and reads)  # unknown: dropped a moment ago
        others += not is_serving
        if is_model and reads is False:
            faults.append(f"{role} may not read {name}")
        if reads and (not is_serving or is_telling):
            faults.append(f"{role} reads {name}" + (", which has a column for none to see" if is_serving else ""))
        if writes:
            faults.append(f"{role} may write to {name}")
    cursor.execute(_PLACES_TO_MAKE_THINGS_IN, values)
    faults += [f"{role} may make things in {place}" for (place,) in cursor.fetchall()]
    cursor.execute(_FUNCTIONS, values)
    faults += [f"{role} may call {name}, which runs as its owner" for (name,) in cursor.fetchall()]
    return Access(role, True, served, others, tuple(faults))


def _is_of(caller: str, role: str) -> bool:
    """Whether a role has the rights of another: they are the same, or it inherits them."""
    return role == caller or (role, caller) in ROLES.members
