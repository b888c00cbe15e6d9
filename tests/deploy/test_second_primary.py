"""Tests of growth: a session is whole by itself. Its rows are moved to another primary, and its people go on there.

docs/scaling.md says what one does when one primary is full: several, a session at one of them by its id. This is what
that stands on: nothing that people of a session see or do needs a row of another one.
"""

from __future__ import annotations

import asyncio
import random
from typing import LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.faults.crowd import Talk, off_loop, open_halls, verdict
from tests.harness.plugin import MakeStack

pytestmark = [pytest.mark.deploy, pytest.mark.processes, pytest.mark.services]

# All that a session is, in the order in which foreign keys allow it. What servers hold (connections, processes) and
# what is made anew from these rows (rollups) stays.
COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_name = %s AND is_generated = 'NEVER' AND is_identity = 'NO' ORDER BY ordinal_position
"""  # numbers that a database gives out are no part of it
WHOLE: list[tuple[LiteralString, LiteralString]] = [
    (
        "users",
        "id IN (SELECT host_id FROM sessions WHERE id = %(id)s"
        " UNION SELECT user_id FROM participants WHERE session_id = %(id)s"
        " UNION SELECT user_id FROM messages WHERE session_id = %(id)s)",
    ),
    ("sessions", "id = %(id)s"),
    ("invites", "session_id = %(id)s"),
    ("participants", "session_id = %(id)s"),
    ("stays", "participant_id IN (SELECT id FROM participants WHERE session_id = %(id)s)"),
    ("messages", "session_id = %(id)s"),
    ("spirit_turns", "session_id = %(id)s"),
    ("answers", "message_id IN (SELECT id FROM messages WHERE session_id = %(id)s)"),
    ("events", "session_id = %(id)s"),
]


def move(session_id: str, source: str, target: str) -> dict[str, int]:
    """Copy a session from one primary to another; how many rows of each table."""
    moved = {}
    with psycopg.connect(source) as here, psycopg.connect(target) as there:
        for table, which in WHOLE:
            names = SQL(", ").join(Identifier(name) for (name,) in here.execute(COLUMNS, [table]))
            rows = SQL("SELECT {} FROM {} WHERE ").format(names, Identifier(table)) + SQL(which)
            taken = SQL("COPY ({}) TO STDOUT").format(rows)
            put = SQL("COPY {} ({}) FROM STDIN").format(Identifier(table), names)
            writer = there.cursor()
            with here.cursor().copy(taken, {"id": session_id}) as out, writer.copy(put) as into:
                for data in out:
                    into.write(data)
            moved[table] = writer.rowcount
    return moved


async def talk_for(talk: Talk, messages: int) -> None:
    """Until so many more were said and acknowledged."""
    wanted = sum(future.done() for future in talk.said) + messages
    async with asyncio.timeout(60):
        while sum(future.done() for future in talk.said) < wanted:  # noqa: ASYNC110  a list tells nobody
            await asyncio.sleep(0.05)


async def test_a_session_goes_on_at_another_primary(make_stack: MakeStack, rng: random.Random) -> None:
    first, second = make_stack(), make_stack(own_postgres=True)
    old, new = await off_loop(first.server), await off_loop(second.server)
    stays, goes = await open_halls([old], halls=2, people=4, rng=rng, slowest=1.0)
    talk = Talk([stays, goes], per_second=40, rng=rng)
    await talk_for(talk, 100)
    # As one would: nobody writes to it while it moves, and nobody is sent to where it is not there yet.
    old.terminate()
    assert await off_loop(old.wait) == 0
    moved = await off_loop(move, goes.id, first.database_url, second.database_url)
    for client in goes.clients:
        client.addresses = [new.ws(goes.id)]
    await off_loop(old.start)
    await talk_for(talk, 200)
    await talk.stop()

    assert moved["messages"] >= 20
    assert await verdict(second, [goes]) > moved["messages"]
    assert await verdict(first, [stays]) > 50
