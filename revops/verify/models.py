"""The models of prod as `ops.declarations` and `ops.models` note them, and what the catalog says of their views."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from meshkeys import catalog, declarations
from meshkeys.catalog import Relation
from revops.ledger import definitions, rendered
from revops.ledger.rendered import Rendered

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor


@dataclass(frozen=True)
class Model:
    """A model of prod.

    Attributes:
        view: its view.
        physical: the relation that was behind the view at the end of the last plan.
        behind: what the view selects from, by the catalog; None where that is not one relation.
        columns: of the view, in order.
        declared: its keys, indexes and materialized view.
        definition: its query; None where there is none to compare with.
        rendered: its query for some days; None where SQLMesh alone knows it.
        last_day: the last day that was evaluated; None where the model is not evaluated by days.
    """

    view: Relation
    physical: Relation
    behind: Relation | None
    columns: tuple[str, ...]
    declared: declarations.Declarations
    definition: definitions.Definition | None
    rendered: Rendered | None
    last_day: date | None

    @property
    def name(self) -> str:
        """As in `ops.declarations`: schema and name."""
        return str(self.view)


def noted(cursor: Cursor) -> dict[str, Model]:
    """Every model of prod by its name."""
    cursor.execute(
        """
        SELECT d.model, d.relation, d.declared, m.definition, to_jsonb(m) -> 'rendered',
               (SELECT max(e.ends_on) FROM ops.evaluations AS e WHERE e.relation = d.relation)
        FROM ops.declarations AS d LEFT JOIN ops.models AS m USING (model) ORDER BY d.model
        """
    )
    found = {}
    for name, physical, declared, definition, text, last_day in cursor.fetchall():
        view = Relation.parse(name)
        read = catalog.relations_read_by(cursor, view)
        found[name] = Model(
            view,
            Relation.parse(physical),
            read[0] if len(read) == 1 else None,
            tuple(catalog.columns(cursor, view)),
            declarations.from_json(declared),
            definitions.from_json(definition) if definition else None,
            rendered.from_json(text) if text else None,
            last_day,
        )
    return found
