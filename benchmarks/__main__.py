"""benchmarks: `python -m benchmarks`: run the groups in turn, print a table, keep it, compare with the run before.

Everything runs on this machine, over the loopback interface, in processes and databases of its own that are gone after.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from benchmarks import report
from benchmarks.rows import Row, run_group

GROUPS = ("micro", "database", "rooms", "reading")
POSTGRES = os.environ.get("BENCH_DATABASE_URL") or "postgresql://postgres@127.0.0.1:5432/postgres"
REDIS = os.environ.get("BENCH_REDIS_URL") or "redis://127.0.0.1:6379/0"


@contextmanager
def own_database() -> Iterator[str]:
    """The URL of a database of our own on PostgreSQL, dropped at the end; empty where none answers."""
    name = f"seance_bench_{os.getpid()}_{secrets.token_hex(3)}"
    try:
        with psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3) as link:
            link.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        print(f"Not run on PostgreSQL: {str(error).splitlines()[0]}", file=sys.stderr)
        yield ""
        return
    try:
        yield urlunsplit(urlsplit(POSTGRES)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(POSTGRES, autocommit=True) as link:
            link.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def measured(groups: list[str], quick: bool) -> Iterator[Row]:
    """The rows of the groups; those with a database run on SQLite and on PostgreSQL."""
    arguments = ["--quick"] if quick else []
    for group in groups:
        print(f"{group} …", file=sys.stderr, flush=True)
        if group == "reading":  # without Redis nothing is kept anyway
            with own_database() as url:
                if url:
                    yield from run_group(group, *arguments, DATABASE_URL=url, REDIS_URL=REDIS)
            continue
        yield from run_group(group, *arguments)
        if group == "micro":
            continue
        with own_database() as url:
            if url:
                redis = {"REDIS_URL": REDIS} if group == "rooms" else {}
                yield from run_group(group, *arguments, DATABASE_URL=url, **redis)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seconds in place of minutes: to see that it runs")
    parser.add_argument("--only", action="append", choices=GROUPS, help="one group; may be given again")
    parser.add_argument("--no-docs", action="store_true", help="leave docs/performance.md, which a whole run writes")
    options = parser.parse_args()
    groups = options.only or list(GROUPS)
    try:
        rows = list(measured(groups, options.quick))
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"A group did not end well: {error}", file=sys.stderr)
        return 1
    before = report.before_of(report.newest(options.quick))
    print(f"{report.machine()}\n\n{report.table(rows, before)}")
    path = report.store(rows, options.quick)
    print(f"\nKept in {path.relative_to(report.ROOT)}", file=sys.stderr)
    if not (options.quick or options.only or options.no_docs):
        page = report.PAGE.read_text(encoding="utf-8")
        report.PAGE.write_text(report.rendered(page, rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
