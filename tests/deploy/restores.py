"""Tests of deployment: backups of a real database, and ways to put them back; nothing of it is ours but `backup`."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from tests.harness.processes import clean_environment, manage, wait_until
from tests.harness.server import DEFAULTS, Stack
from tests.harness.services import Postgres, postgres_binaries

Restore = Callable[[], None]


def run(program: str, *arguments: str, user: str | None = None) -> str:
    """One of PostgreSQL's programs, run to its end; its standard output."""
    command = [str(postgres_binaries() / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, user=user, group=user, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_operator(stack: Stack) -> dict[str, str]:
    """The environment of a command."""
    return clean_environment(**DEFAULTS, VAR_DIR=str(stack.work), DATABASE_URL=stack.database_url)


# --- PostgreSQL: dumps ------------------------------------------------------------------------------------------------


def dumped(stack: Stack) -> Path:
    """`pg_dump` of a database that is served."""
    file = stack.work / "seance.dump"
    run("pg_dump", "--format=custom", f"--file={file}", stack.database_url)
    return file


def into_a_new_database(stack: Stack, file: Path) -> None:
    """Dropped, and made again."""
    name = urlsplit(stack.database_url).path.lstrip("/")
    elsewhere = stack.database_url.removesuffix(name) + "template1"
    run("psql", "-qc", f'DROP DATABASE "{name}" WITH (FORCE)', elsewhere)
    run("psql", "-qc", f'CREATE DATABASE "{name}"', elsewhere)
    run("pg_restore", "--exit-on-error", "--single-transaction", f"--dbname={stack.database_url}", str(file))


def over_the_old_tables(stack: Stack, file: Path) -> None:
    """`--clean`: the same database, by name and number."""
    run("pg_restore", "--clean", "--exit-on-error", "--single-transaction", f"--dbname={stack.database_url}", str(file))


def rows_alone(stack: Stack, file: Path) -> None:
    """The same tables, emptied and filled."""
    tables = "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public'"
    ((names,),) = stack.query(tables)
    stack.query("ALTER TABLE audit_log DISABLE TRIGGER USER")
    stack.query(f"TRUNCATE {names}")
    options = ["--data-only", "--disable-triggers", "--exit-on-error"]
    run("pg_restore", *options, f"--dbname={stack.database_url}", str(file))


# --- PostgreSQL: a base backup and its archive ------------------------------------------------------------------------


def archive_into(stack: Stack, folder: Path) -> None:
    """Turn WAL archiving on, as the runbook has it."""
    assert stack.postgres is not None
    folder.mkdir()
    shutil.chown(folder, "postgres", "postgres")
    stack.postgres.stop()
    with (stack.postgres.data / "postgresql.auto.conf").open("a") as file:
        file.write(f"archive_mode = on\narchive_command = 'test ! -f {folder}/%f && cp %p {folder}/%f'\n")
    stack.postgres.start()


def base_backup(stack: Stack, folder: Path) -> None:
    """`pg_basebackup` of a server that runs."""
    assert stack.postgres is not None
    folder.mkdir(mode=0o700)
    shutil.chown(folder, "postgres", "postgres")
    where = ["-h", "127.0.0.1", "-p", str(stack.postgres.port), "-U", "postgres", "-D", str(folder), "-c", "fast"]
    run("pg_basebackup", *where, user="postgres")
    run("pg_verifybackup", str(folder), user="postgres")


def recover(postgres: Postgres, backup: Path, archive: Path, **target: str) -> None:
    """Put the base backup in place of the data, and recover up to the target."""
    assert not postgres.alive
    shutil.rmtree(postgres.data)
    subprocess.run(["cp", "-a", str(backup), str(postgres.data)], check=True)
    with (postgres.data / "postgresql.auto.conf").open("a") as file:
        file.write(f"restore_command = 'cp {archive}/%f %p'\nrecovery_target_action = 'promote'\n")
        file.writelines(f"{name} = '{value}'\n" for name, value in target.items())
    signal = postgres.data / "recovery.signal"
    signal.touch()
    shutil.chown(signal, "postgres", "postgres")
    postgres.start()
    wait_until(lambda: not signal.exists(), timeout=30, what=f"it recovers for ever: {postgres.said()[-800:]}")


# --- SQLite -----------------------------------------------------------------------------------------------------------


def sqlite_path(stack: Stack) -> Path:
    """The file."""
    return Path(urlsplit(stack.database_url).path)


def copied(stack: Stack) -> Path:
    """`manage.py backup` of a database that is served."""
    file = stack.work / "copy.sqlite3"
    done = json.loads(manage("backup", str(file), "--json", env=as_operator(stack)))
    assert done == {"file": str(file), "bytes": file.stat().st_size}
    return file


def copied_by_sqlite(stack: Stack) -> Path:
    """The shell of SQLite does the same, and knows nothing of ours."""
    file = stack.work / "copy.sqlite3"
    subprocess.run(["sqlite3", str(sqlite_path(stack)), f".backup {file}"], check=True)
    return file


def in_its_place(stack: Stack, file: Path) -> None:
    """Another file, moved over it, as the runbook has it, without what the old one had beside it."""
    path = sqlite_path(stack)
    for old in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        old.unlink(missing_ok=True)
    shutil.copy(file, path.with_name("new"))
    path.with_name("new").rename(path)


def over_it(stack: Stack, file: Path) -> None:
    """The same file, with other contents."""
    path = sqlite_path(stack)
    for old in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        old.unlink(missing_ok=True)
    path.write_bytes(file.read_bytes())
