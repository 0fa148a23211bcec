"""Owns desk.what_if: what a changed rule would have raised, in figures by era, without a rebuild and without showing features.

Analysts may not read features. The function runs with the rights of its owner, takes one rule, and returns sums alone. Its
condition is the one of the model features.rule_hits, so that a rule asks for the same here and there.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foundation.queries import relations_exist
from meshkeys.catalog import Relation
from revops.desk import decisions

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

HITS = "features.rule_hits"
SIGNATURE = "desk.what_if(jsonb, integer, integer)"

# Features lie in the order of cards, so that a sample of cards reads that part of them, where one of days would read all. The
# alerts of today are those that are served; the changed rule is taken out of their scores, and put back where it hits.
_WHAT_IF = """
CREATE OR REPLACE FUNCTION desk.what_if(rule jsonb, min_score int, every int)
RETURNS TABLE (
    era text, is_tuning boolean, day_count bigint, alert_count bigint, alert_count_then bigint, labelled_count bigint,
    labelled_count_then bigint, fraud_count bigint, fraud_count_then bigint, value_caught numeric, value_caught_then numeric,
    value_disturbed numeric, value_disturbed_then numeric
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan AS
$$
#variable_conflict use_column
DECLARE
    name text := what_if.rule ->> 'rule_name';
    weight_now int := coalesce((SELECT r.weight FROM seeds.fraud_rules AS r WHERE r.rule_name = what_if.rule ->> 'rule_name'), 0);
    first date := (SELECT min(o.transacted_on) FROM facts.fct_outcomes AS o);
    last date := (SELECT max(o.transacted_on) FROM facts.fct_outcomes AS o);
    cards int[];
BEGIN
    IF what_if.every < 1 OR what_if.min_score < 1 THEN
        RAISE EXCEPTION 'every and min_score are 1 or more' USING ERRCODE = '22023';
    END IF;
    IF what_if.every > 1 THEN
        cards := ARRAY(SELECT c.card_id FROM dimensions.dim_cards AS c WHERE abs(hashint4(c.card_id) % what_if.every) = 0);
    END IF;
    RETURN QUERY
    WITH today AS (
        SELECT a.transaction_id, a.score,
               a.score - CASE WHEN name = ANY (string_to_array(a.rule_names, ', ')) THEN weight_now ELSE 0 END AS rest
        FROM serving.fraud_alerts AS a
        WHERE what_if.every = 1 OR a.card_id = ANY (cards)
    ), tried AS (
        SELECT features.transaction_id, rules.weight
        FROM features.transaction_features AS features
        JOIN jsonb_populate_record(NULL::seeds.fraud_rules, what_if.rule) AS rules ON {condition}
        WHERE features.transacted_on >= rules.valid_from_date
          AND features.transacted_on < coalesce(rules.valid_until_date, 'infinity'::date)
          AND (what_if.every = 1 OR features.card_id = ANY (cards))
    ), scored AS (
        SELECT coalesce(today.transaction_id, tried.transaction_id) AS transaction_id,
               coalesce(today.score, 0) >= what_if.min_score AS is_alert,
               coalesce(today.rest, 0) + coalesce(tried.weight, 0) >= what_if.min_score AS is_alert_then
        FROM today FULL JOIN tried ON tried.transaction_id = today.transaction_id
    ), alerts AS (
        SELECT o.transacted_on, o.is_fraud, o.purchase_cents, scored.is_alert, scored.is_alert_then
        FROM scored JOIN facts.fct_outcomes AS o ON o.transaction_id = scored.transaction_id
        WHERE scored.is_alert OR scored.is_alert_then
    )
    SELECT e.era, e.is_tuning,
           (least(coalesce(e.valid_until_date, last + 1), last + 1) - greatest(e.valid_from_date, first))::bigint,
           count(*) FILTER (WHERE a.is_alert), count(*) FILTER (WHERE a.is_alert_then),
           count(a.is_fraud) FILTER (WHERE a.is_alert), count(a.is_fraud) FILTER (WHERE a.is_alert_then),
           count(*) FILTER (WHERE a.is_alert AND a.is_fraud), count(*) FILTER (WHERE a.is_alert_then AND a.is_fraud),
           coalesce(sum(a.purchase_cents) FILTER (WHERE a.is_alert AND a.is_fraud), 0) / 100,
           coalesce(sum(a.purchase_cents) FILTER (WHERE a.is_alert_then AND a.is_fraud), 0) / 100,
           coalesce(sum(a.purchase_cents) FILTER (WHERE a.is_alert AND NOT a.is_fraud), 0) / 100,
           coalesce(sum(a.purchase_cents) FILTER (WHERE a.is_alert_then AND NOT a.is_fraud), 0) / 100
    FROM seeds.fraud_eras AS e
    LEFT JOIN alerts AS a
      ON a.transacted_on >= e.valid_from_date AND a.transacted_on < coalesce(e.valid_until_date, 'infinity'::date)
    WHERE e.valid_from_date <= last AND coalesce(e.valid_until_date, 'infinity'::date) > first
    GROUP BY e.era, e.is_tuning, e.valid_from_date, e.valid_until_date
    ORDER BY e.era;
END
$$;
"""

_log = logging.getLogger(__name__)


def create(cursor: Cursor, snapshots: Sequence[Any], tables: Mapping[str, Relation]) -> None:
    """Creates the function, or replaces it where the model's condition has changed; at the end of a plan of prod.

    Args:
        cursor: a transaction.
        snapshots: the models of prod. Without hits among them there is nothing to try a rule on.
        tables: not used.
    """
    model = next((each.model for each in snapshots if str(Relation.of(each.name)) == HITS), None)
    if model is None or not relations_exist(cursor, decisions.TABLE):
        return
    joins = model.render_query_or_raise().args.get("joins") or ()
    condition = next((join.args.get("on") for join in joins if join.alias_or_name == "rules"), None)
    if condition is None:
        _log.warning("%s joins no rules: desk.what_if stays as it was", HITS)
        return
    statement = _WHAT_IF.replace("{condition}", condition.sql(dialect="postgres", comments=False))
    decisions.create_function(cursor, SIGNATURE, statement)
