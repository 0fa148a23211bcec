"""Owns the table of decisions and the one function that writes it. Nothing that SQLMesh builds, drops or promotes is in here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg2 import sql

from foundation.queries import relations_exist, scalar
from revops.roles import INVESTIGATOR

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

SCHEMA = "desk"
TABLE = "desk.decisions"
FRAUD, NOT_FRAUD, UNDECIDED = DECISIONS = ("fraud", "not fraud", "undecided")
LONGEST_NOTE = 2000

# Models that show rows of the table, directly or by way of each other.
SHOWN_IN = ("facts.fct_decisions", "serving.alert_decisions", "serving.rule_reviews")

_TABLE = """
CREATE SCHEMA IF NOT EXISTS desk;

CREATE TABLE desk.decisions (
    decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    decided_by text NOT NULL DEFAULT session_user,
    transaction_id bigint NOT NULL,
    transacted_at timestamp NOT NULL,
    card_id int NOT NULL,
    score int NOT NULL,
    rule_names text NOT NULL,
    rules jsonb NOT NULL,
    decision text NOT NULL CHECK (decision IN ('fraud', 'not fraud', 'undecided')),
    assigned_to text,
    note text
);
CREATE INDEX decisions_by_transaction ON desk.decisions (transaction_id, decision_id);
COMMENT ON SCHEMA desk IS 'What investigators decide on alerts; written through desk.decide alone';
COMMENT ON TABLE desk.decisions IS
    'One row per decision on an alert; a correction is a new row, and the last row of a transaction counts';
COMMENT ON COLUMN desk.decisions.decided_by IS 'The login that decided: its session''s, which no statement can change';
COMMENT ON COLUMN desk.decisions.score IS 'Of the alert, as it was when it was decided on';
COMMENT ON COLUMN desk.decisions.rules IS 'The rows of seeds.fraud_rules that had hit, as they were then';
COMMENT ON COLUMN desk.decisions.assigned_to IS 'The login that works on the alert from now on';
"""

_REFUSAL = """
CREATE OR REPLACE FUNCTION desk.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$$
BEGIN
    RAISE EXCEPTION 'decisions are not changed or deleted: a correction is a new decision' USING ERRCODE = '55000';
END
$$;
"""
_TRIGGERS = """
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON desk.decisions FOR EACH STATEMENT EXECUTE FUNCTION desk.refuse_change();
CREATE TRIGGER no_truncation BEFORE TRUNCATE ON desk.decisions FOR EACH STATEMENT EXECUTE FUNCTION desk.refuse_change();
"""

# The caller gives neither its name nor the time. Every name outside of pg_catalog has its schema, and the views are looked up
# when the function runs, so that a promotion that makes them again does not touch it.
_DECIDE = """
CREATE OR REPLACE FUNCTION desk.decide(alert bigint, decision text, note text DEFAULT NULL, assignee text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$
DECLARE
    decided record;
    latest record;
    words text := nullif(btrim(decide.note, E' \\t\\r\\n'), '');
    made bigint;
BEGIN
    IF decide.decision IS NULL OR decide.decision NOT IN ('fraud', 'not fraud', 'undecided') THEN
        RAISE EXCEPTION 'a decision is fraud, not fraud or undecided' USING ERRCODE = '22023';
    END IF;
    IF length(words) > {longest_note} THEN
        RAISE EXCEPTION 'a note has at most {longest_note} characters' USING ERRCODE = '22023';
    END IF;
    IF words ~ '[0-9]([[:space:]-]*[0-9]){{12}}' THEN
        RAISE EXCEPTION 'the note has 13 digits in a row, as a card number has: name the card by its id'
            USING ERRCODE = '22023';
    END IF;
    IF decide.assignee IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_roles AS r
        WHERE r.rolname = decide.assignee AND r.rolcanlogin AND pg_has_role(r.oid, {investigator}, 'MEMBER')
    ) THEN
        RAISE EXCEPTION 'no login of an investigator has this name' USING ERRCODE = '22023';
    END IF;
    SELECT a.transacted_at, a.card_id, a.score, a.rule_names INTO decided
    FROM serving.fraud_alerts AS a WHERE a.transaction_id = decide.alert;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'transaction % has no alert', decide.alert USING ERRCODE = '22023';
    END IF;
    -- One after the other, so that a form that is sent twice makes one decision.
    PERFORM pg_advisory_xact_lock({lock}, hashint8(decide.alert));
    SELECT d.decision_id, d.decided_by, d.decision, d.note, d.assigned_to INTO latest
    FROM desk.decisions AS d WHERE d.transaction_id = decide.alert ORDER BY d.decision_id DESC LIMIT 1;
    IF FOUND AND (latest.decided_by, latest.decision) = (session_user::text, decide.decision)
        AND latest.note IS NOT DISTINCT FROM words AND latest.assigned_to IS NOT DISTINCT FROM decide.assignee
    THEN
        RETURN latest.decision_id;
    END IF;
    INSERT INTO desk.decisions (decided_by, transaction_id, transacted_at, card_id, score, rule_names, rules, decision,
                                assigned_to, note)
    SELECT session_user, decide.alert, decided.transacted_at, decided.card_id, decided.score, decided.rule_names,
           coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(r)) ORDER BY r.rule_name), '[]'), decide.decision,
           decide.assignee, words
    FROM seeds.fraud_rules AS r WHERE r.rule_name = ANY (string_to_array(decided.rule_names, ', '))
    RETURNING decision_id INTO made;
    RETURN made;
END
$$;
"""
_LOCK = 0x6465736B  # "desk"

_SOURCE = "SELECT prosrc FROM pg_proc WHERE oid = to_regprocedure(%s)"
_TO_PUBLIC = """
SELECT p.oid::regprocedure::text FROM pg_proc AS p
WHERE p.pronamespace = 'desk'::regnamespace AND pg_has_role(p.proowner, 'USAGE')
  AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS g WHERE g.grantee = 0)
"""

# Around a restore that drops the schema: decisions made after the backup are added to those in it.
SET_ASIDE = """
CREATE TEMPORARY TABLE decisions_before (LIKE desk.decisions) ON COMMIT DROP;
LOCK TABLE desk.decisions IN ACCESS EXCLUSIVE MODE;
INSERT INTO decisions_before SELECT * FROM desk.decisions;
"""
PUT_BACK = """
INSERT INTO desk.decisions (decided_at, decided_by, transaction_id, transacted_at, card_id, score, rule_names, rules, decision,
                            assigned_to, note)
SELECT decided_at, decided_by, transaction_id, transacted_at, card_id, score, rule_names, rules, decision, assigned_to, note
FROM pg_temp.decisions_before AS kept
WHERE NOT EXISTS (SELECT FROM desk.decisions AS d WHERE d.transaction_id = kept.transaction_id
                  AND d.decided_at = kept.decided_at AND d.decided_by = kept.decided_by)
ORDER BY decision_id;
"""


def create(cursor: Cursor) -> None:
    """Creates what is missing of the schema, and replaces a function of an earlier version. No right is granted here."""
    if not relations_exist(cursor, TABLE):
        cursor.execute(_TABLE + _REFUSAL + _TRIGGERS)
    create_function(
        cursor,
        "desk.decide(bigint, text, text, text)",
        sql.SQL(_DECIDE)
        .format(longest_note=sql.Literal(LONGEST_NOTE), investigator=sql.Literal(INVESTIGATOR), lock=sql.Literal(_LOCK))
        .as_string(cursor),
    )


def create_function(cursor: Cursor, signature: str, statement: str) -> None:
    """Creates or replaces a function of the schema where its source is another one; PUBLIC may not call it."""
    if scalar(cursor, _SOURCE, (signature,)) != statement.split("$$")[1]:
        cursor.execute(statement)
    cursor.execute(_TO_PUBLIC)
    for (name,) in cursor.fetchall():
        cursor.execute(sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(sql.SQL(name)))
