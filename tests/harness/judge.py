"""Tests of the whole: the judge for clients in other languages.

`python -m tests.harness.judge FILE SESSION` reads the log of a session from an SQLite file and what clients saw as JSON
from stdin. It writes the breaches of the promise, one a line, and ends with 1 where there are any. A client is
`{name, user_id, epoch, after, sends, acks, receipts}`: rows as in `records`, without `at`.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.harness.checker import problems
from tests.harness.records import Acked, Log, Receipt, Sent, Stream, read_log


class File:
    """The database of a server without PostgreSQL."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def query(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """Rows of a SELECT about one session, whose `id` SQLite has as 32 hexadecimal digits."""
        link = sqlite3.connect(self.path, timeout=10)
        try:
            given = {"id": UUID(str(values["id"])).hex}
            return link.execute(statement.replace("%(id)s", ":id"), given).fetchall()
        finally:
            link.close()


def log_of(told: dict[str, Any]) -> Log:
    """What one client told, over all its resumes one stream."""
    receipts = [Receipt(0, *row) for row in told["receipts"]]
    return Log(
        told["name"],
        told["user_id"],
        sends=[Sent(0, *row) for row in told["sends"]],
        acks=[Acked(0, *row) for row in told["acks"]],
        streams=[Stream(told["epoch"], told["after"], receipts)],
    )


def main(path: str, session_id: str) -> int:
    """0 where the promise was kept."""
    wrong = problems(read_log(File(Path(path)), session_id), map(log_of, json.load(sys.stdin)))
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
