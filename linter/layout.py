"""Rules of the layout: where a model lives, what it may read, how long its name may be."""

from __future__ import annotations

from pathlib import Path

from sqlglot import exp
from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model

from linter.reading import is_ours, named, query_as_run, query_as_written, schema_of, short_name, tables_read

# What the query of a layer may read, beside seeds. The order is that of the way of a row.
READS: dict[str, set[str]] = {
    "seeds": set(),
    "staging": {"raw", "desk"},
    "dimensions": {"staging", "dimensions", "facts"},
    "facts": {"staging", "dimensions", "facts"},
    "quality": {"staging", "dimensions", "facts", "quality", "ops"},
    "features": {"dimensions", "facts", "quality", "features"},
    "serving": {"dimensions", "facts", "quality", "features", "serving", "ops"},
}
RAW = {"raw", "ops", "desk"}  # filled by the loaders, and by decisions of investigators
SUPERSEDED = "raw.superseded_rows"
MAX_NAME_BYTES = 45 - len("__0123456789")  # a table's name is <name>__<version>; names of its indexes add to that


class NamedLikeItsFile(Rule):
    """A model is found by its name: models/<schema>/<name>.sql holds <schema>.<name>. Move the file or rename the model."""

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation where the file is elsewhere."""
        if not is_ours(model) or model._path is None:
            return None
        path = Path(model._path)
        told = (path.parents[1].name, path.parent.name, path.stem)
        schema, _, name = short_name(model.fqn).partition(".")
        if told == ("models", schema, name) and model.name == f"{schema}.{name}":
            return None
        return self.violation(f"{model.name} is in {'/'.join(told)}{path.suffix}: {self.summary}")


class ReadsOnlyLayersAbove(Rule):
    """A layer reads the layers above it: raw, staging, dimensions and facts and quality, features, serving; seeds are for all.

    Read the model of the layer in between, or move this one. What only an audit reads, and so is in `depends_on` alone,
    may come from any layer above.
    """

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation that names all it may not read."""
        if not is_ours(model):
            return None
        layer = schema_of(model.fqn)
        if layer not in READS:
            return self.violation(f"{model.name}: the schema {layer} is no layer. Layers are {', '.join(READS)}")
        query = query_as_run(model)
        in_query = tables_read(query) if query is not None else set()
        layers = list(READS)
        above = {*layers[: layers.index(layer) + 1], *RAW}
        wrong = {
            table
            for table in map(short_name, model.depends_on)
            if schema_of(table) not in ((READS[layer] if table in in_query else above) | {"seeds"})
        }
        if not wrong:
            return None
        allowed = named(READS[layer] | {"seeds"})
        return self.violation(f"{model.name} reads {named(wrong)}; {layer} reads {allowed} only")


class StagingJoinsNothing(Rule):
    """Staging is one recipe for one raw relation: trim, cast, mark duplicates, mask. Join in the layers below.

    The one join it has is with raw.superseded_rows, the list of duplicates.
    """

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation that names what is joined."""
        query = query_as_written(model)
        if query is None or schema_of(model.fqn) != "staging":
            return None
        joined = {
            f"{join.this.db}.{join.this.name}" if isinstance(join.this, exp.Table) else join.this.sql("postgres")
            for join in query.find_all(exp.Join)
        } - {SUPERSEDED}
        sources = tables_read(query) - {SUPERSEDED}
        if joined:
            return self.violation(f"{model.name} joins {named(joined)}: {self.summary}")
        if len(sources) != 1:
            return self.violation(f"{model.name} reads {named(sources) or 'nothing'}: {self.summary}")
        return None


class NameLeavesRoom(Rule):
    """PostgreSQL cuts names at 63 bytes, and a physical name has a version, its indexes a suffix: shorten the model's name."""

    def check_model(self, model: Model) -> RuleViolation | None:
        """One violation where the name is too long."""
        length = len(model.view_name.encode())
        if not is_ours(model) or length <= MAX_NAME_BYTES:
            return None
        return self.violation(f"{model.name}: {length} bytes, at most {MAX_NAME_BYTES}. {self.summary}")
