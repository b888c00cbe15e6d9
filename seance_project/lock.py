"""seance_project: one serving process per database where there is no Redis to tell the others.

Two processes in memory would each have half of a room. The lock is the kernel's: it ends with the process, however
that ends, and a lock file left behind locks nothing.
"""

from __future__ import annotations

import fcntl
import os
from typing import IO

from seance_project.env import Env
from seance_project.refusals import sqlite_path, uses_sqlite

_held: list[IO[str]] = []  # an open file is the lock: it must outlive the caller


class AlreadyServed(Exception):
    """Another process serves this database. Its text is one line for the person who started this one."""


def hold_if_embedded(env: Env) -> None:
    """Take the lock for the life of this process; nothing to do with Redis, or where it is held already.

    Raises `AlreadyServed`.
    """
    if env.redis_url or _held:
        return
    path = sqlite_path(env).with_suffix(".lock") if uses_sqlite(env) else env.var / "serve.lock"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = path.open("a+", encoding="ascii")
    except OSError as error:
        raise AlreadyServed(f"The lock file {path} cannot be opened: {error.strerror}.") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        pid = file.read(20).strip() or "unknown"
        file.close()
        raise AlreadyServed(
            f"Another process (pid {pid}) already serves this database. Without REDIS_URL there can be only one."
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    _held.append(file)
