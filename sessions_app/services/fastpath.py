"""sessions_app, writes: the plain message on PostgreSQL, in one round trip.

It takes the drafts to which nothing can be said against: an active session whose lock is to be had, a seated author
with a voice, a `client_msg_id` that is new. Everything else it leaves untouched for the careful way in `messages`,
which knows every refusal by name. What it stores is what the careful way would store; a test holds them together.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from sessions_app import outbox
from sessions_app.prepared import raw_cursor


class Plain(msgspec.Struct):
    """A draft with its cleaned text, and the id that its message will have."""

    n: int
    id: UUID
    session_id: UUID
    user_id: UUID
    text: str
    client_msg_id: str | None
    off_record: bool


class Placed(NamedTuple):
    """Where a draft went: draft `n` has `seq`, and its author's name at that moment was `name`."""

    n: int
    seq: int
    name: str


class Taken(NamedTuple):
    """What became of drafts: those that were stored; the numbers of those whose session could be locked for it; and of
    those whose answer needs no lock: stored before under this `client_msg_id`, or refused where no spirit listens."""

    placed: list[Placed]
    reached: set[int]
    settled: set[int]


# The rows are locked in the order of their ids, and those that somebody else holds are left out, so nobody waits here.
# `locked` reads the row as it is under the lock, so `last_seq` is the newest whatever the statement's snapshot says.
# What was stored before is asked of each draft by itself, as a value. For a join, a plan that was made while the tables
# were empty read all that was ever said in the session, and one for large tables all that was ever said.
# A client_msg_id that was committed after the snapshot violates its unique constraint, and the careful way is taken. So
# it is where `presence_version` has moved on between snapshot and lock: seats are read as the snapshot has them, and
# whoever lost the seat or the voice in that moment does not speak after it.
_MANY = """
WITH drafts AS MATERIALIZED (
    SELECT d.*, (SELECT m.id FROM messages m WHERE m.session_id = d.session_id AND m.user_id = d.user_id
                 AND m.client_msg_id = d.client_msg_id) IS NOT NULL AS is_stored
    FROM json_to_recordset(%s::json) AS d(
        n int, id uuid, session_id uuid, user_id uuid, text text, client_msg_id text, off_record boolean)
), locked AS MATERIALIZED (
    SELECT id, last_seq, spirit_mode, presence_version FROM sessions
    WHERE id = ANY(%s::uuid[]) AND is_active
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
), placed AS MATERIALIZED (
    SELECT d.*, p.name, l.last_seq + row_number() OVER (PARTITION BY d.session_id ORDER BY d.n) AS seq
    FROM drafts d
    JOIN locked l ON l.id = d.session_id
    JOIN sessions seen ON seen.id = d.session_id AND seen.presence_version = l.presence_version
    JOIN participants p ON p.session_id = d.session_id AND p.user_id = d.user_id
    WHERE {modes} AND p.left_at IS NULL AND p.kicked_at IS NULL AND NOT p.is_muted AND p.role <> 'observer'
      AND NOT d.is_stored
), stored AS (
    INSERT INTO messages
        (id, session_id, seq, user_id, user_name, text, "timestamp", is_spirit, client_msg_id, off_record)
    SELECT id, session_id, seq, user_id, name, text, %s, false, client_msg_id, off_record FROM placed
), moved AS (
    UPDATE sessions s SET last_seq = h.head
    FROM (SELECT session_id, max(seq) AS head FROM placed GROUP BY session_id) h WHERE s.id = h.session_id
){outbox}
SELECT d.n, placed.seq, placed.name, l.id IS NOT NULL, placed.seq IS NULL AND (l.spirit_mode = 'off' OR d.is_stored)
FROM drafts d LEFT JOIN locked l ON l.id = d.session_id LEFT JOIN placed ON placed.n = d.n
"""
# One alone needs no table of drafts: half the work for PostgreSQL, which is what a room at rest waits for. Session and
# author are said each time as what they are: as columns of what was found before, a plan that was made while the tables
# were empty looks for them without the session, through the whole index.
_ONE = """
WITH before AS MATERIALIZED (
    SELECT id FROM messages WHERE session_id = %s AND user_id = %s AND client_msg_id = %s
), locked AS MATERIALIZED (
    SELECT id, last_seq, spirit_mode, presence_version FROM sessions WHERE id = %s AND is_active
    FOR NO KEY UPDATE SKIP LOCKED
), placed AS MATERIALIZED (
    SELECT l.id AS session_id, l.last_seq + 1 AS seq, p.user_id, p.name, %s::uuid AS id
    FROM locked l
    JOIN sessions seen ON seen.id = %s AND seen.presence_version = l.presence_version
    JOIN participants p ON p.session_id = %s AND p.user_id = %s
    WHERE {modes} AND p.left_at IS NULL AND p.kicked_at IS NULL AND NOT p.is_muted AND p.role <> 'observer'
      AND NOT EXISTS (SELECT FROM before)
), stored AS (
    INSERT INTO messages
        (id, session_id, seq, user_id, user_name, text, "timestamp", is_spirit, client_msg_id, off_record)
    SELECT id, session_id, seq, user_id, name, %s, %s, false, %s, %s FROM placed
), moved AS (
    UPDATE sessions s SET last_seq = placed.seq FROM placed WHERE s.id = placed.session_id
){outbox}
SELECT placed.seq, placed.name, l.id IS NOT NULL,
       placed.seq IS NULL AND (l.spirit_mode = 'off' OR EXISTS (SELECT FROM before))
FROM (SELECT) one LEFT JOIN locked l ON true LEFT JOIN placed ON true
"""
# Not for those where the spirit listens: there the careful way waits.
_WAIT = """
SELECT id FROM sessions WHERE id = ANY(%s::uuid[]) AND is_active AND spirit_mode = 'off' ORDER BY id FOR NO KEY UPDATE
"""
# For webhooks: a pointer to each message, under the message's own id. Left out of the statement where there are none.
_OUTBOX = """, kept AS (
    INSERT INTO webhook_events (id, kind, session, seq, data, at, is_spread)
    SELECT id, 'message.created', session_id, seq, NULL, %s, false FROM placed
)"""


class _Statement(NamedTuple):
    """The SQL for one draft, and for many."""

    one: str
    many: str


# In a circle it has to be decided first whose turn it is.
_STATEMENTS = {
    (silent_only, is_wanted): _Statement(
        *(
            sql.format(
                modes="l.spirit_mode = 'off'" if silent_only else "l.spirit_mode <> 'circle'",
                outbox=_OUTBOX if is_wanted else "",
            )
            for sql in (_ONE, _MANY)
        )
    )
    for silent_only in (True, False)
    for is_wanted in (True, False)
}


def is_available() -> bool:
    """Whether the database is PostgreSQL."""
    return connection.vendor == "postgresql"


def wait_for(session_ids: Iterable[UUID]) -> set[UUID]:
    """Wait until nobody else has locked these sessions, and let them go at once; returns those that are silent.

    A lock that were kept for the statement would be held while a host with a poor line sends and waits.
    """
    with connection.wrap_database_errors:
        connection.ensure_connection()
        with raw_cursor() as cursor:
            return {row[0] for row in cursor.execute(_WAIT, [list(session_ids)], prepare=True)}


def post(drafts: Sequence[Plain], at: datetime, *, silent_only: bool) -> Taken:
    """Store what is plain; returns where. With `silent_only` only where the spirit never answers.

    Raises `django.db.IntegrityError` where somebody stored one of the `client_msg_id`s at this very moment: then
    nothing of this call was stored. What webhooks tell of it is in their outbox.
    """
    is_wanted = outbox.is_wanted()
    statement, kept = _STATEMENTS[silent_only, is_wanted], [at] if is_wanted else []
    sessions = list({draft.session_id for draft in drafts})
    values: list[object]
    if len(drafts) == 1:
        n, key, session, user, text, client_msg_id, off_record = msgspec.structs.astuple(drafts[0])
        sql, values = statement.one, [session, user, client_msg_id, session, key, session, session, user]
        values += [text, at, client_msg_id, off_record, *kept]
    else:
        sql, values = statement.many, [msgspec.json.encode(drafts).decode(), sessions, at, *kept]
    with connection.wrap_database_errors:
        connection.ensure_connection()
        with raw_cursor() as cursor:
            rows = cursor.execute(sql, values, prepare=True).fetchall()
    if len(drafts) == 1:
        rows = [(n, *row) for row in rows]
    return Taken(
        placed=[Placed(*row[:3]) for row in rows if row[1] is not None],
        reached={row[0] for row in rows if row[3]},
        settled={row[0] for row in rows if row[4]},
    )
