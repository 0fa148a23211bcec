"""What PostgreSQL's SQL becomes on Spark where sqlglot's own translation fails or silently means something else.

Models, macros and audits are written in PostgreSQL's dialect, and the code of a macro is part of the version of every model
that uses it. So the two forms are not held by the macros: the adapter passes each statement through here, after SQLMesh has
rendered and typed it, and nothing of PostgreSQL's side changes. Works on syntax trees; touches no database.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlglot import exp

_IS_VALID = "PG_INPUT_IS_VALID"
_KINDS = {
    exp.DataType.Type.TIMESTAMP: exp.DataType.Type.TIMESTAMPNTZ,
    exp.DataType.Type.TIMESTAMPTZ: exp.DataType.Type.TIMESTAMPLTZ,
}
_DATES = {exp.DataType.Type.DATE}
_NO_LETTER_OR_DIGIT = "([^0-9A-Za-zÀ-ÖØ-öø-ɏ])"
_MARK = "\ue000 "  # a blank, after which a word begins everywhere, behind a character that no text holds
_OF_DAYS = {"DAY", "WEEK", "MONTH", "QUARTER", "YEAR"}


def for_spark(expression: Any) -> Any:
    """A statement, written for PostgreSQL, such that sqlglot writes it for Spark with the same meaning; a copy."""
    tree = exp.Tuple(expressions=[expression.copy()])  # a parent, so that the outermost node can be replaced as well
    _try_casts(tree)
    for rule in (
        _sums_beside_distinct_counts,
        _times_of_day,
        _types,
        _epochs,
        _days_between,
        _filters_of_windows,
        _words_with_capitals,
        _counts_in_unions,
        _laterals,
        _series,
    ):
        rule(tree)
    return tree.expressions[0].pop()


def _inner_first(tree: Any, *kinds: type[Any]) -> Iterator[Any]:
    yield from reversed(list(tree.find_all(*kinds)))


def _try_casts(tree: Any) -> None:
    """pg_input_is_valid becomes TRY_CAST, and so does each cast that it guards: Spark may evaluate a cast before its guard."""
    checks = [node for node in _inner_first(tree, exp.Anonymous) if node.name.upper() == _IS_VALID]
    checked = {(node.expressions[0].sql(), _type_of(node).sql()) for node in checks}
    for cast in _inner_first(tree, exp.Cast) if checked else ():
        if type(cast) is exp.Cast and (cast.this.sql(), cast.to.sql()) in checked:
            cast.replace(exp.TryCast(this=cast.this, to=cast.to, safe=True))
    for node in checks:
        tried = exp.TryCast(this=node.expressions[0], to=_type_of(node), safe=True)
        node.replace(exp.Paren(this=exp.Not(this=exp.Is(this=tried, expression=exp.Null()))))


def _type_of(check: Any) -> Any:
    return exp.DataType.build(check.expressions[1].name, dialect="postgres")


def _sums_beside_distinct_counts(tree: Any) -> None:
    """A sum of decimals beside COUNT(DISTINCT) says how wide it is: Sail sums it in two steps, and loses that it got wider.

    Nothing is rounded: only digits before the point are added.
    """
    for select in _inner_first(tree, exp.Select):
        counts = (count for shown in select.selects for count in shown.find_all(exp.Count))
        if not any(isinstance(count.this, exp.Distinct) for count in counts):
            continue
        for total in [total for shown in select.selects for total in shown.find_all(exp.Sum)]:
            size: list[Any] = total.this.type.expressions if total.this.is_type(exp.DataType.Type.DECIMAL) else []
            if len(size) == 2 and total.find_ancestor(exp.Window, exp.Select) is select:
                whole = total.parent if isinstance(total.parent, exp.Filter) else total
                whole.replace(exp.cast(whole.copy(), f"DECIMAL(38, {size[1].name})"))


def _times_of_day(tree: Any) -> None:
    """A date plus hours is a time on PostgreSQL, elsewhere an error or the date itself."""
    for node in _inner_first(tree, exp.Add, exp.Sub):
        interval = node.expression
        if isinstance(interval, exp.Interval) and _is_date(node.this):
            unit = interval.unit.name.upper().rstrip("S") if interval.unit is not None else ""
            if unit not in _OF_DAYS:
                node.set("this", exp.cast(node.this, "TIMESTAMP"))


def _is_date(node: Any) -> bool:
    return node.type is not None and node.type.this in _DATES


def _types(tree: Any) -> None:
    """Spark's bare TIMESTAMP is one or the other by a setting of the session: each is named."""
    for data_type in tree.find_all(exp.DataType):
        data_type.set("this", _KINDS.get(data_type.this, data_type.this))


def _epochs(tree: Any) -> None:
    """EXTRACT(EPOCH ...) of a time in whole seconds."""
    for node in _inner_first(tree, exp.Extract):
        if node.this.name.upper() == "EPOCH":
            node.replace(exp.Anonymous(this="UNIX_TIMESTAMP", expressions=[node.expression]))


def _days_between(tree: Any) -> None:
    """A date minus a date is a number of days on PostgreSQL, an interval on Spark. SQLMesh has typed both."""
    for node in _inner_first(tree, exp.Sub):
        if _is_date(node.this) and _is_date(node.expression):
            days = exp.Anonymous(this="DATEDIFF", expressions=[node.this, node.expression])
            node.replace(days)


def _filters_of_windows(tree: Any) -> None:
    """FILTER of a window function is refused by Spark, and was silently ignored by another engine of its dialect."""
    for window in _inner_first(tree, exp.Window):
        if isinstance(window.this, exp.Filter):
            aggregate, condition = window.this.this, window.this.expression.this
            value = exp.Literal.number(1) if isinstance(aggregate.this, exp.Star) else aggregate.this
            aggregate.set("this", exp.Case(ifs=[exp.If(this=condition, true=value)]))
            window.this.replace(aggregate)


def _words_with_capitals(tree: Any) -> None:
    """INITCAP begins a word after whatever is no letter or digit; on Spark, after a blank only."""
    for node in _inner_first(tree, exp.Initcap):
        marked = exp.Anonymous(
            this="REGEXP_REPLACE",
            expressions=[node.this, exp.Literal.string(_NO_LETTER_OR_DIGIT), exp.Literal.string(f"$1{_MARK}")],
        )
        written = exp.Anonymous(this="INITCAP", expressions=[marked])
        node.replace(
            exp.Anonymous(this="REPLACE", expressions=[written, exp.Literal.string(_MARK), exp.Literal.string("")])
        )


def _counts_in_unions(tree: Any) -> None:
    """A count of groups in a branch of UNION is said to be nullable: Sail refuses to add up what it is sure of, and then not.

    No group has 0 rows, so the value is the same.
    """
    for union in _inner_first(tree, exp.SetOperation):
        for branch in (union.this, union.expression):
            for shown in branch.selects if isinstance(branch, exp.Select) and branch.args.get("group") else ():
                count = shown.unalias()
                if isinstance(count, exp.Count):
                    count.replace(exp.Nullif(this=count.copy(), expression=exp.Literal.number(0)))


def _laterals(tree: Any) -> None:
    """A function that gives rows, joined LATERAL, becomes LATERAL VIEW EXPLODE of an array."""
    for join in _inner_first(tree, exp.Join):
        lateral, select = join.this, join.parent
        if not isinstance(lateral, exp.Lateral) or not isinstance(select, exp.Select):
            continue
        function, alias = lateral.this, lateral.args["alias"]
        if isinstance(function, exp.ExplodingGenerateSeries):
            array = _sequence(function)
        elif isinstance(function, exp.Anonymous) and function.name.upper() == "REGEXP_MATCHES":
            array = _found(function)
            for element in list(select.find_all(exp.Bracket)):  # there an array of one, here the text
                if isinstance(element.this, exp.Column) and element.this.table == alias.name:
                    element.replace(element.this)
        else:
            continue
        join.pop()
        select.append("laterals", exp.Lateral(this=exp.Explode(this=array), view=True, alias=alias))


def _found(call: Any) -> Any:
    """All matches of a pattern. Not every engine has look-around; without it longer runs are found in parts."""
    text, pattern = call.expressions[:2]
    bare = re.sub(r"\(\?<?!\[0-9\]\)", "", pattern.name)
    return exp.Anonymous(this="REGEXP_EXTRACT_ALL", expressions=[text, exp.Literal.string(bare), exp.Literal.number(0)])


def _sequence(series: Any) -> Any:
    bounds = [series.args[name] for name in ("start", "end", "step") if series.args.get(name) is not None]
    return exp.Anonymous(this="SEQUENCE", expressions=bounds)


def _series(tree: Any) -> None:
    """GENERATE_SERIES in FROM becomes a subquery that explodes a sequence."""
    for node in _inner_first(tree, exp.ExplodingGenerateSeries):
        source = node.find_ancestor(exp.Table, exp.Unnest, exp.Lateral)
        if source is None:
            continue
        alias = source.args.get("alias")
        column = alias.columns[0].name if alias is not None and alias.columns else "value"
        values = exp.select(exp.alias_(exp.Explode(this=_sequence(node)), column, quoted=True))
        source.replace(values.subquery(alias.name if alias is not None else "series"))
