"""seance_project, the doctor: the machine: packages, file descriptors, the kernel's queue, disk, static files."""

from __future__ import annotations

import platform
import re
import resource
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from django.contrib.staticfiles import finders
from packaging.requirements import Requirement

from seance_project.doctor.findings import Finding, ok, warning, wrong
from seance_project.env import BASE_DIR, Env
from seance_project.static import is_missing

PINNED = re.compile(r"^([A-Za-z0-9][^\\\n]*?)\s*\\?$", re.MULTILINE)  # the line of a package, before its hashes
FILES_PER_PROCESS = 256  # besides the sockets: threads, database, Redis, modules
ENOUGH_FILES = 1 << 12
BACKLOG = 2048  # what the server asks the kernel for
FREE_BYTES = 512 << 20
# One of each that a page, the documents and the admin cannot do without.
STATIC = (
    "realtime/board/board.js",
    "realtime/board/board.css",
    "sessions_app/swagger.js",
    "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js",
    "admin/css/base.css",
)


def packages(_: Env, lock: Path = BASE_DIR / "requirements.txt") -> Iterator[Finding]:
    """packages: what is installed, held against the lock file."""
    if not lock.is_file():
        yield warning(
            "packages", f"{lock.name} is not here, so versions cannot be compared", "Keep it beside manage.py."
        )
        return
    remedy = f"python -m pip install --require-hashes -r {lock.name}"
    count, differ = 0, 0
    for line in PINNED.findall(lock.read_text(encoding="utf-8")):
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        count += 1
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            found = ""
        if not found or not wanted.specifier.contains(found, prereleases=True):
            differ += 1
            yield wrong(
                "packages", f"{wanted.name} is {found or 'missing'}, the lock file says {wanted.specifier}", remedy
            )
    if not differ:
        yield ok("packages", f"all {count} are those of the lock file, for Python {platform.python_version()}")


def descriptors(_: Env) -> Iterator[Finding]:
    """file descriptors: one is taken by each socket."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= ENOUGH_FILES:
        yield ok("file descriptors", f"up to {'any number' if hard == resource.RLIM_INFINITY else hard} a process")
        return
    room = max(0, hard - FILES_PER_PROCESS)
    yield wrong(
        "file descriptors",
        f"at most {hard} a process, which leaves {room} for sockets",
        "Raise the hard limit: LimitNOFILE= of systemd, --ulimit nofile= of docker, or ulimit -Hn.",
    )


def queue(_: Env, path: Path = Path("/proc/sys/net/core/somaxconn")) -> Iterator[Finding]:
    """listen queue: how many connections may wait to be accepted."""
    try:
        found = int(path.read_text())
    except (OSError, ValueError):
        return
    if found < BACKLOG:
        yield warning(
            "listen queue", f"the kernel keeps {found} waiting connections", f"sysctl -w net.core.somaxconn={BACKLOG}"
        )
    else:
        yield ok("listen queue", f"the kernel keeps {found} waiting connections")


def folder(env: Env) -> Iterator[Finding]:
    """VAR_DIR: what the server makes itself."""
    if env.is_production and env.database_url and env.redis_url and env.email_url:
        return  # nothing is written
    free = shutil.disk_usage(next(one for one in (env.var, *env.var.parents) if one.exists())).free
    if free < FREE_BYTES:
        yield wrong("VAR_DIR", f"{free >> 20} MiB are free where {env.var} is", "Make room, or set VAR_DIR elsewhere.")
    else:
        yield ok("VAR_DIR", f"{free >> 20} MiB are free")


def static_files(_: Env) -> Iterator[Finding]:
    """static files: served by the process itself, or collected for something else."""
    if is_missing():
        yield wrong("static files", "STATIC_ROOT is not filled", "python manage.py collectstatic --noinput")
        return
    missing = [name for name in STATIC if finders.find(name) is None]
    for name in missing:
        yield wrong(
            "static files", f"{name} is missing", "Install the release and its packages anew, static folders included."
        )
    if not missing:
        yield ok("static files", f"{len(STATIC)} of {len(STATIC)} that were looked for are there")


CHECKS = (packages, descriptors, queue, folder, static_files)
