"""Run each test once: on PostgreSQL and Redis where they are reachable and it knows them, else embedded.

TEST_DATABASE_URL and TEST_REDIS_URL say where they are. With REQUIRE_SERVICES=1 it fails where they are not.
`--long` first runs what that leaves out: the same tests on the other backend, and what takes long. Other arguments go
to pytest; a file or folder among them runs on both.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import redis

ROOT = Path(__file__).resolve().parent.parent
DATABASE_URL = os.environ.get("TEST_DATABASE_URL") or "postgresql://postgres@127.0.0.1:5432/postgres"
REDIS_URL = os.environ.get("TEST_REDIS_URL") or "redis://127.0.0.1:6379/0"
# What depends on the database, the channel layer or several processes; the rest is the same everywhere.
ON_SERVICES = [f"tests/{name}" for name in ("api", "commands", "faults", "harness", "realtime", "services")]
# What reaches them through the same few services, views and forms.
ON_SERVICES_LATER = [f"tests/{name}" for name in ("admin", "oauth", "permissions")]
EVERYTHING = ["tests", "--ignore=tests/browser"]
SHORT = "not alone and not long and not deploy"
NO_TESTS = 5  # pytest's exit code for an empty selection


def services_missing() -> list[str]:
    """The names of the variables whose service does not answer."""
    missing = []
    try:
        psycopg.connect(DATABASE_URL, connect_timeout=3).close()
    except psycopg.Error:
        missing.append("TEST_DATABASE_URL")
    try:
        redis.Redis.from_url(REDIS_URL, socket_timeout=3, socket_connect_timeout=3).ping()
    except (redis.RedisError, ValueError):
        missing.append("TEST_REDIS_URL")
    return missing


def run(title: str, services: dict[str, str], arguments: list[str]) -> int:
    """One round of pytest, in settings that neither the shell nor `.env` can change."""
    print(f"\n=== {title} ===", flush=True)
    with tempfile.TemporaryDirectory(prefix="seance-test-") as var_dir:
        # Bytecode is kept: without it each of the many processes compiles the project, and its asserts, anew.
        unwanted = {*settings_names(), "PYTHONDONTWRITEBYTECODE"}
        from_outside = {name: value for name, value in os.environ.items() if name not in unwanted}
        ours = {"VAR_DIR": var_dir, "ENV_FILE": os.devnull, "SPIRIT_ALLOW_NETWORK": "false"}
        # Of its own: each pytest that starts shuts the shared one to others, and so to a PostgreSQL in it.
        ours["PYTEST_DEBUG_TEMPROOT"] = var_dir
        command = [sys.executable, "-m", "pytest", *arguments]
        return subprocess.run(command, env=from_outside | ours | services, check=False).returncode  # noqa: S603


def settings_names() -> set[str]:
    """Every variable that the server reads."""
    sys.path.insert(0, os.getcwd())
    from seance_project.env import Env

    return {name.upper() for name in Env.__struct_fields__}


def main() -> int:
    """0 where every round passed."""
    missing = services_missing()
    if missing and os.environ.get("REQUIRE_SERVICES") == "1":
        print(f"REQUIRE_SERVICES=1, and nothing answers at {' and '.join(missing)}.", file=sys.stderr)
        return 1
    codes = []
    for services in ({}, {"DATABASE_URL": DATABASE_URL, "REDIS_URL": REDIS_URL}):
        on = "PostgreSQL and Redis" if services else "SQLite, one process, in memory"
        if services and missing:
            print(f"\nNot run on {on}: nothing answers at {' and '.join(missing)}.")
            continue
        for title, arguments in parts(sys.argv[1:], on_services=bool(services), elsewhere=not missing):
            codes.append(run(f"{title}{on}", services, arguments))
    if not sys.argv[1:]:
        print("\nThe page at /board has tests of its own, in a browser: `make test-browser`.")
    failed = [code for code in codes if code not in (0, NO_TESTS)]
    return failed[0] if failed else max(codes) if all(codes) else 0


def parts(given: list[str], *, on_services: bool, elsewhere: bool) -> list[tuple[str, list[str]]]:
    """The rounds on one kind of services: what was asked for, or all, in several processes, and the rest alone.

    `elsewhere` says that there are services, on which some of it runs in this same call. A fault with a pass line in
    milliseconds bears nothing beside it. The browser has a runner of its own.
    """
    if any((ROOT / argument.partition("::")[0]).exists() for argument in given if argument):
        return [("", [argument for argument in given if argument != "--long"])]
    several = f"-n {os.environ.get('TEST_PROCESSES', '4')} --dist loadfile --no-loadscope-reorder".split()
    if given[:1] == ["--long"]:
        twins = ON_SERVICES_LATER if on_services else ON_SERVICES
        rounds = [("what takes long, ", [*EVERYTHING, "-m", "long and not deploy", *given[1:]])]
        if elsewhere:
            here = f"{SHORT} and not embedded and not once"
            rounds.append(("what else runs elsewhere, ", [*twins, *several, "-m", here, *given[1:]]))
        return rounds
    if on_services:
        return [
            ("", [*ON_SERVICES, *several, "-m", SHORT, *given]),
            ("one at a time, ", ["tests/faults", "-m", "alone", *given]),
        ]
    left = [f"--elsewhere={','.join(ON_SERVICES)}"] if elsewhere else []
    return [("", [*EVERYTHING, *several, "-m", SHORT, *left, *given])]


if __name__ == "__main__":
    sys.exit(main())
