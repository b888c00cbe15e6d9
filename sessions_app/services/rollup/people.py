"""sessions_app, writes: who came into a session or spoke there on which day.

The database counts: a session may have had a hundred thousand people, and a server shall not hold them once a minute.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from sessions_app.models import Session

# {days} is an expression for a day in UTC, {ids} are placeholders.
_FOUND = """
WITH found AS (
    SELECT session_id, user_id, day, SUM(messages) AS messages FROM (
        SELECT p.session_id, p.user_id, {came} AS day, 0 AS messages
        FROM participants p WHERE p.session_id IN ({ids})
        UNION ALL
        SELECT p.session_id, p.user_id, {stayed}, 0
        FROM stays s JOIN participants p ON p.id = s.participant_id WHERE p.session_id IN ({ids})
        UNION ALL
        SELECT m.session_id, m.user_id, {said}, COUNT(*)
        FROM messages m WHERE m.session_id IN ({ids}) AND NOT m.is_spirit AND m.user_id IS NOT NULL
        GROUP BY 1, 2, 3
    ) AS one GROUP BY session_id, user_id, day
)
"""
# The rows that are right already are left alone: of a session that goes on these are nearly all. EXCEPT is hashed or
# sorted whatever the planner believes of sessions that are new; a NOT EXISTS it may try row by row.
_ADD = """
INSERT INTO person_days (session_id, user_id, day, messages)
SELECT * FROM (
    SELECT session_id, user_id, day, messages FROM found
    EXCEPT SELECT session_id, user_id, day, messages FROM person_days WHERE session_id IN ({ids})
) AS news WHERE true
ON CONFLICT (session_id, user_id, day) DO UPDATE SET messages = excluded.messages
"""
_REMOVE = """
DELETE FROM person_days WHERE id IN (
    SELECT d.id FROM person_days d JOIN (
        SELECT session_id, user_id, day FROM person_days WHERE session_id IN ({ids})
        EXCEPT SELECT session_id, user_id, day FROM found
    ) AS gone ON d.session_id = gone.session_id AND d.user_id = gone.user_id AND d.day = gone.day)
"""
_DAY = {"postgresql": "({} AT TIME ZONE 'UTC')::date", "sqlite": "substr({}, 1, 10)"}  # SQLite has the text, in UTC


def count_people(ids: Sequence[UUID]) -> None:
    """Bring the people's days of these sessions up to date. Within a transaction."""
    day = _DAY[connection.vendor].format
    key = Session._meta.pk
    values = [key.get_db_prep_value(one, connection) for one in ids]
    places = ", ".join(["%s"] * len(values))
    found = _FOUND.format(came=day("p.joined_at"), stayed=day("s.joined_at"), said=day('m."timestamp"'), ids=places)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # a first count of all that ever was may take longer than a request may
            cursor.execute("SET LOCAL statement_timeout = '50s'")  # the lease is longer
        cursor.execute(found + _ADD.format(ids=places), values * 4)
        cursor.execute(found + _REMOVE.format(ids=places), values * 4)
