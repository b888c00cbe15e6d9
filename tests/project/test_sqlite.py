"""Tests of seance_project/sqlite3: threads that write wait in order, and each of them gets its turn."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from seance_project.databases import SQLITE_PRAGMAS
from seance_project.sqlite3.base import DatabaseWrapper, Line

pytestmark = [pytest.mark.django_db, pytest.mark.once]


def connect(path: Path, *, timeout: float = 5) -> DatabaseWrapper:
    """A connection of its own to a file, with the options of a server."""
    config = connections.databases["default"] | {
        "ENGINE": "seance_project.sqlite3",
        "NAME": str(path),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": timeout, "init_command": SQLITE_PRAGMAS},
    }
    return DatabaseWrapper(config, alias="queue")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    link = connect(tmp_path / "a.sqlite3")
    with link.cursor() as cursor:
        cursor.execute("CREATE TABLE said (n int)")
    link.close()
    return tmp_path / "a.sqlite3"


def begin(link: BaseDatabaseWrapper) -> None:
    link.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)


def end(link: BaseDatabaseWrapper, how: str = "commit") -> None:
    getattr(link, how)()
    if how != "close":
        link.set_autocommit(True)


def test_nobody_is_passed_by_however_long_each_one_takes(path: Path) -> None:
    waits: list[float] = []

    def write() -> None:
        link = connect(path)
        for _ in range(8):
            began = time.monotonic()
            begin(link)
            waits.append(time.monotonic() - began)
            with link.cursor() as cursor:
                cursor.execute("INSERT INTO said VALUES (1)")
            time.sleep(0.05)  # a slow disk
            end(link)
        link.close()

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(waits) == 48
    assert max(waits) < 6 * 0.05 * 3, "five before it, and what the machine adds"


@pytest.mark.parametrize("how", ["commit", "rollback", "close"])
def test_however_it_ends_the_next_one_comes(path: Path, how: str) -> None:
    first, second = connect(path), connect(path, timeout=0.5)
    begin(first)
    with pytest.raises(OperationalError, match="database is locked"):
        begin(second)

    end(first, how)

    second.close()
    begin(second)
    end(second)


def test_a_transaction_that_cannot_begin_lets_the_next_one_come(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = connect(path), connect(path, timeout=0.5)
    first.connect()
    with monkeypatch.context() as patch:
        patch.setattr(first, "transaction_mode", "NONSENSE")
        with pytest.raises(OperationalError):
            begin(first)

    begin(second)
    end(second)


def test_whoever_gave_up_is_not_waited_for() -> None:
    line = Line()
    assert line.wait(0)
    assert not line.wait(0.01)
    line.done()

    assert line.wait(0)


def test_the_product_s_own_transactions_stand_in_it() -> None:
    assert isinstance(connections["default"], DatabaseWrapper)
