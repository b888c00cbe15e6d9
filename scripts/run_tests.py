"""Run the tests embedded (SQLite, in memory) and, where PostgreSQL and Redis are reachable, on them too.

TEST_DATABASE_URL and TEST_REDIS_URL say where they are. With REQUIRE_SERVICES=1 it fails where they are not.
Arguments go to pytest.
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
# Whatever touches the database, the channel layer or a server; the rest is the same everywhere.
ON_SERVICES = [
    f"tests/{name}"
    for name in ("admin", "api", "commands", "faults", "harness", "oauth", "permissions", "realtime", "services")
    if (ROOT / "tests" / name).is_dir()
]
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
        for title, arguments in parts(sys.argv[1:], on_services=bool(services)):
            codes.append(run(f"{title}{on}", services, arguments))
    if not sys.argv[1:]:
        print("\nThe page at /board has tests of its own, in a browser: `make test-browser`.")
    failed = [code for code in codes if code not in (0, NO_TESTS)]
    return failed[0] if failed else max(codes) if all(codes) else 0


def parts(given: list[str], *, on_services: bool) -> list[tuple[str, list[str]]]:
    """The rounds on one kind of services: what was asked for, or all, in several processes, and the rest alone.

    A fault with a pass line in milliseconds bears nothing beside it. What knows no database runs once. The browser has
    a runner of its own.
    """
    if any((ROOT / argument.partition("::")[0]).exists() for argument in given if argument):
        return [("", given)]
    chosen = ON_SERVICES if on_services else ["tests", "--ignore=tests/browser"]
    workers = os.environ.get("TEST_PROCESSES", "4")
    together = f"-n {workers} --dist loadfile --no-loadscope-reorder".split()
    rounds = [("", [*chosen, *together, "-m", "not alone and not long", *given])]
    return [*rounds, ("one at a time, ", ["tests/faults", "-m", "alone", *given])] if on_services else rounds


if __name__ == "__main__":
    sys.exit(main())
