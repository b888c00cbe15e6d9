"""Run the tests embedded (SQLite, in memory) and, where PostgreSQL and Redis are reachable, on them too.

TEST_DATABASE_URL and TEST_REDIS_URL say where they are. With REQUIRE_SERVICES=1 it fails where they are not.
Arguments go to pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import psycopg
import redis

DATABASE_URL = os.environ.get("TEST_DATABASE_URL") or "postgresql://postgres@127.0.0.1:5432/postgres"
REDIS_URL = os.environ.get("TEST_REDIS_URL") or "redis://127.0.0.1:6379/0"
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
        from_outside = {name: value for name, value in os.environ.items() if name not in settings_names()}
        ours = {"VAR_DIR": var_dir, "ENV_FILE": os.devnull, "SPIRIT_ALLOW_NETWORK": "false"}
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
    arguments = sys.argv[1:]
    codes = [run("embedded: SQLite, one process, in memory", {}, arguments)]
    if missing:
        print(f"\nNot run on PostgreSQL and Redis: nothing answers at {' and '.join(missing)}.")
    else:
        services = {"DATABASE_URL": DATABASE_URL, "REDIS_URL": REDIS_URL}
        codes.append(run("services: PostgreSQL and Redis", services, arguments))
    failed = [code for code in codes if code not in (0, NO_TESTS)]
    return failed[0] if failed else max(codes) if all(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
