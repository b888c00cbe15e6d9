"""Tests of `doctor`: a sound installation, and faults that are planted in real ones, each with its remedy."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest

from seance_project.doctor import database, neighbours, redis, settings
from seance_project.doctor.findings import Finding, State, visit
from seance_project.doctor.settings import wrong_settings
from seance_project.env import load
from seance_project.refusals import file_system_of
from tests.harness.pooler import Pooler
from tests.harness.processes import ROOT, clean_environment, free_port
from tests.harness.services import Databases, Redis
from tests.project.helpers import PRODUCTION

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
MODULES = (settings, database, redis, neighbours)


@pytest.fixture
def diagnose(tmp_path: Path) -> Callable[..., list[Finding]]:
    """What the doctor finds wrong, or is worried by, with these variables: topic, what is said, remedy."""

    def ask(**variables: str) -> list[Finding]:
        environ = {"VAR_DIR": str(tmp_path), "ENV_FILE": os.devnull, **variables}
        if found := wrong_settings(environ):
            return found
        checks = [check for module in MODULES for check in module.CHECKS]
        return [one for one in visit(load(environ), checks) if one.state is not State.OK]

    return ask


@pytest.fixture(scope="module")
def postgres(databases: Databases) -> Iterator[str]:
    """A migrated database that these tests may hurt, as long as they mend it."""
    url = databases.on_shared_postgres()
    yield url
    databases.drop(url)


@pytest.fixture
def spoilt(postgres: str) -> Iterator[Callable[[str], str]]:
    """Do something to the database, until the test is over."""
    with psycopg.connect(postgres, autocommit=True) as link:
        name = link.execute("SELECT quote_ident(current_database())").fetchone()

        def do(statement: str) -> str:
            link.execute(statement.format(name[0] if name else "").encode())
            return postgres

        yield do
        for mend in (
            "ALTER DATABASE {} RESET ALL",
            "ALTER DATABASE {} CONNECTION LIMIT -1",
            "DROP SCHEMA IF EXISTS liar CASCADE",
        ):
            do(mend)
        do("DELETE FROM django_migrations WHERE name LIKE '9999%'")


def only(found: list[Finding], topic: str, said: str) -> None:
    """Nothing but this is found, and there is something to be done about it."""
    assert [(one.topic, one.state) for one in found] == [(topic, State.WRONG)], found
    assert said in found[0].said
    assert found[0].remedy


# --- Settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.once
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({**PRODUCTION, "DEBUG": "true"}, "DEBUG: must be false in production"),
        ({**PRODUCTION, "SECRET_KEY": "django-insecure-" + "x1y2z3" * 9}, "SECRET_KEY: is a placeholder"),
        ({**PRODUCTION, "JWT_SECRET": ""}, "JWT_SECRET: is required in production"),
        ({**PRODUCTION, "ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS: must not have *"),
        ({"REDIS_URL": "localhost:6379"}, "REDIS_URL: must be redis://"),
        ({"DATABASE_URL": "mysql://host/name"}, "DATABASE_URL: must be postgresql://"),
        ({"SECRET_KEY": "x1y2z3" * 9, "JWT_SECRET": "x1y2z3" * 9}, "JWT_SECRET: must differ"),
    ],
)
def test_a_wrong_setting_is_found(diagnose: Any, variables: dict[str, str], said: str) -> None:
    only(diagnose(**variables), "settings", said)


@pytest.mark.once
def test_all_wrong_settings_are_found_at_once(diagnose: Any) -> None:
    found = diagnose(PORT="70000", DEBUG="perhaps", MAX_USERS_LIMIT="1")

    assert [one.said.partition(":")[0] for one in found] == ["PORT", "DEBUG", "MAX_USERS_LIMIT"]
    assert found[0].remedy == "Set PORT to a whole number from 0 to 65535, or unset it."


@pytest.mark.once
def test_all_that_production_refuses_is_found_at_once(diagnose: Any) -> None:
    found = diagnose(ENVIRONMENT="production", DEBUG="true", ADMIN_EMAIL="root@example.org", CORS_ORIGINS="*")

    assert [one.said.partition(":")[0] for one in found] == [
        "ADMIN_PASSWORD", "SECRET_KEY", "JWT_SECRET", "DEBUG", "ALLOWED_HOSTS", "CORS_ORIGINS",
    ]  # fmt: skip


@pytest.mark.once
def test_what_a_file_misspells_and_what_is_no_secret_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "env"
    file.write_text("ALOWED_HOSTS=a\nSECRET_KEY=" + "changeme" * 8 + "\n", encoding="utf-8")
    monkeypatch.setenv("ENV_FILE", str(file))

    found = list(visit(load({"VAR_DIR": str(tmp_path)}, file), settings.CHECKS))

    assert "ALOWED_HOSTS of the .env file is no setting" in [one.said for one in found if one.state is State.WARNING]
    assert [one.topic for one in found if one.state is State.WRONG] == ["keys"]


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


@pytest.mark.services
def test_a_sound_installation_has_nothing_wrong(diagnose: Any, postgres: str) -> None:
    assert diagnose(DATABASE_URL=postgres, REDIS_URL=os.environ["REDIS_URL"]) == []


@pytest.mark.services
def test_a_database_that_does_not_answer_is_found(diagnose: Any) -> None:
    only(diagnose(DATABASE_URL=f"postgresql://x@127.0.0.1:{free_port()}/x"), "database", "cannot be reached")


@pytest.mark.services
@pytest.mark.parametrize(
    ("fault", "topic", "said"),
    [
        ("ALTER DATABASE {} SET search_path = nowhere", "migrations", "has no tables"),
        ("DELETE FROM django_migrations WHERE app = 'sessions_app' AND name LIKE '0006%'", "migrations", "0006"),
        ("ALTER DATABASE {} CONNECTION LIMIT 20", "connections", "the connection limit of the database leaves 20"),
    ],
)
def test_a_spoilt_database_is_found(
    diagnose: Any, spoilt: Callable[[str], str], fault: str, topic: str, said: str
) -> None:
    url = spoilt(fault)

    found = diagnose(DATABASE_URL=url)
    spoilt("INSERT INTO django_migrations (app, name, applied) SELECT 'sessions_app', '0006_analytics', now() "
           "WHERE NOT EXISTS (SELECT FROM django_migrations WHERE name = '0006_analytics')")  # fmt: skip

    only(found, topic, said)


@pytest.mark.services
def test_a_clock_that_differs_is_found(diagnose: Any, spoilt: Callable[[str], str]) -> None:
    spoilt("CREATE SCHEMA liar")
    spoilt("CREATE FUNCTION liar.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
           "$$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $$")  # fmt: skip
    url = spoilt("ALTER DATABASE {} SET search_path = liar, pg_catalog, public")

    only(diagnose(DATABASE_URL=url), "clock", "3600.0 s ahead of this machine's")


@pytest.mark.services
def test_waiting_for_ever_is_found(diagnose: Any, postgres: str) -> None:
    only(diagnose(DATABASE_URL=f"{postgres}?options=-c%20lock_timeout%3D0"), "database", "lock_timeout is off")


@pytest.mark.services
def test_more_threads_than_connections_are_found(diagnose: Any, postgres: str) -> None:
    with psycopg.connect(postgres) as link:
        room = link.execute("SELECT current_setting('max_connections')::int").fetchone()

    found = diagnose(DATABASE_URL=postgres, DATABASE_THREADS=str(min(64, (room[0] if room else 0) // 2)))

    only(found, "connections", "max_connections leaves")


@pytest.mark.services
def test_a_newer_database_is_a_warning(diagnose: Any, spoilt: Callable[[str], str]) -> None:
    url = spoilt("INSERT INTO django_migrations (app, name, applied) VALUES ('sessions_app', '9999_later', now())")

    (found,) = diagnose(DATABASE_URL=url)

    assert (found.topic, found.state) == ("migrations", State.WARNING)
    assert "sessions_app.9999_later" in found.said


@pytest.mark.services
@pytest.mark.parametrize("backends", [1, 2])
def test_a_pooler_in_transaction_mode_is_found(diagnose: Any, postgres: str, backends: int) -> None:
    pooler = Pooler(postgres, backends)

    found = diagnose(DATABASE_URL=pooler.url)
    told = diagnose(DATABASE_URL=f"{pooler.url}&pooler=transaction")
    pooler.close()

    assert [one.said for one in found if one.topic == "pooler"] == [
        "hands one connection out to several: it is in transaction mode"
    ]
    assert [one.topic for one in told] == ["database"], "only the limits, which the role has not"


@pytest.mark.services
def test_a_replica_that_takes_writes_is_found(diagnose: Any, postgres: str) -> None:
    only(diagnose(DATABASE_URL=postgres, DATABASE_REPLICA_URL=postgres), "replica", "takes writes")


# --- SQLite -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(databases: Databases, tmp_path: Path) -> Path:
    """A migrated SQLite file."""
    folder = tmp_path / "sqlite"
    folder.mkdir()
    return Path(databases.sqlite(folder).removeprefix("sqlite:///"))


@pytest.mark.embedded
def test_a_sound_file_has_nothing_wrong(diagnose: Any, file: Path) -> None:
    assert diagnose(DATABASE_URL=f"sqlite:///{file}") == []


@pytest.mark.embedded
def test_a_file_on_a_network_file_system_is_found(diagnose: Any, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = file.with_suffix(".mounts")
    mounts.write_text(f"server:/share {file.parent} nfs4 rw 0 0\n", encoding="utf-8")
    monkeypatch.setattr(database, "file_system_of", lambda path: file_system_of(path, mounts))

    only(diagnose(DATABASE_URL=f"sqlite:///{file}"), "database", "is SQLite on nfs4")


@pytest.mark.embedded
def test_a_file_that_is_not_there_or_not_ours_is_found(diagnose: Any, tmp_path: Path, file: Path) -> None:
    only(diagnose(DATABASE_URL=f"sqlite:///{tmp_path}/none.sqlite3"), "migrations", "has no tables")
    file.write_bytes(b"no database at all" * 100)
    only(diagnose(DATABASE_URL=f"sqlite:///{file}"), "database", "cannot be read")


@pytest.mark.embedded
def test_a_file_that_lost_its_log_is_found(diagnose: Any, file: Path) -> None:
    link = sqlite3.connect(file)
    link.execute("PRAGMA journal_mode=DELETE")
    link.close()

    only(diagnose(DATABASE_URL=f"sqlite:///{file}"), "database", "is not in WAL mode")


# --- Redis ------------------------------------------------------------------------------------------------------------


def of_redis(found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.topic == "Redis"]


@pytest.mark.services
def test_a_redis_that_does_not_answer_is_found(diagnose: Any, postgres: str) -> None:
    only(diagnose(DATABASE_URL=postgres, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0"), "Redis", "cannot be reached")


@pytest.mark.services
def test_one_of_several_servers_for_events_that_does_not_answer_is_found(diagnose: Any, postgres: str) -> None:
    here = os.environ["REDIS_URL"]
    events = f"{here} redis://127.0.0.1:{free_port()}/0"

    found = diagnose(DATABASE_URL=postgres, REDIS_URL=here, REDIS_PUBSUB_URLS=events)

    only(found, "Redis, events 2 of 2", "cannot be reached")
    assert "REDIS_PUBSUB_URLS" in found[0].remedy


@pytest.mark.services
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--client-output-buffer-limit", "pubsub 1mb 512kb 60"], "cuts a subscriber off at 1048576 bytes"),
        (["--requirepass", "a secret"], "does not let us in"),
        (["--maxclients", "40"], "takes 40 clients"),
    ],
)
def test_a_redis_that_is_set_wrong_is_found(diagnose: Any, tmp_path: Path, options: list[str], said: str) -> None:
    server = Redis(tmp_path / "redis")
    server.command += options
    server.start()

    found = of_redis(diagnose(REDIS_URL=server.url))
    server.kill9()

    only(found, "Redis", said)


@pytest.mark.services
def test_a_redis_that_hides_its_settings_is_a_warning(diagnose: Any, tmp_path: Path) -> None:
    server = Redis(tmp_path / "redis")
    server.command += ["--user", *"guest on >a-secret ~* &* +@all -config".split()]
    server.start()

    found = of_redis(diagnose(REDIS_URL=server.url.replace("://", "://guest:a-secret@")))
    server.kill9()

    assert {one.state for one in found} == {State.WARNING}
    assert "does not tell everything" in found[0].said


@pytest.mark.services
def test_a_redis_that_is_too_old_is_found(diagnose: Any) -> None:
    """No old Redis is at hand: this one speaks as Redis 5 did, over a real socket."""
    listener = socket.create_server(("127.0.0.1", 0))
    info = "# Server\r\nredis_version:5.0.14\r\n"
    answers = {b"PING": b"+PONG\r\n", b"INFO": f"${len(info)}\r\n{info}\r\n".encode()}

    def serve() -> None:
        link, _ = listener.accept()
        with link:
            while data := link.recv(65536):
                for command in data.upper().split(b"*")[1:]:
                    link.sendall(
                        next((answers[name] for name in answers if name in command), b"-ERR unknown command\r\n")
                    )

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    found = of_redis(diagnose(REDIS_URL=f"redis://127.0.0.1:{listener.getsockname()[1]}/0"))
    listener.close()

    assert [(one.state, one.said) for one in found][0] == (State.WRONG, "is version 5.0.14")


# --- Neighbours -------------------------------------------------------------------------------------------------------


class Models(BaseHTTPRequestHandler):
    """A model server that knows one key and one model."""

    def do_GET(self) -> None:
        is_known = self.headers["Authorization"] == "Bearer right"
        body = json.dumps({"data": [{"id": "medium-1"}]}).encode() if is_known else b"{}"
        self.send_response(200 if is_known else 401)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.once
def test_model_and_mail_servers_are_asked(diagnose: Any) -> None:
    server = HTTPServer(("127.0.0.1", 0), Models)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    given = {"SPIRIT_PROVIDERS": "openai_compat", "SPIRIT_BASE_URL": f"http://127.0.0.1:{server.server_port}/v1"}

    def of_models(**more: str) -> list[str]:
        return [one.said for one in diagnose(**given, **more) if one.topic == "models"]

    right = of_models(SPIRIT_MODEL="medium-1", SPIRIT_API_KEY="right")
    refused = of_models(SPIRIT_MODEL="medium-1", SPIRIT_API_KEY="wrong")
    unknown = of_models(SPIRIT_MODEL="medium-2", SPIRIT_API_KEY="right")
    server.shutdown()
    server.server_close()
    gone = of_models(SPIRIT_MODEL="medium-1")
    mails = [one.said for one in diagnose(EMAIL_URL=f"smtp://127.0.0.1:{free_port()}") if one.topic == "mail"]

    assert right == []
    assert refused == ["openai_compat refuses our key"]
    assert unknown == ["openai_compat does not know medium-2"]
    assert gone[0].startswith("openai_compat cannot be reached")
    assert "cannot be used" in mails[0]


class Collector(BaseHTTPRequestHandler):
    """A collector of traces; the front page of one of errors is nothing that it has."""

    def do_POST(self) -> None:
        self.send_response(200 if self.path == "/v1/traces" and self.headers["Content-Length"] == "0" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.once
def test_whoever_is_told_of_traces_and_errors_is_asked(diagnose: Any) -> None:
    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here = f"127.0.0.1:{server.server_port}"

    def said(path: str = "") -> list[tuple[str, State, str]]:
        found = diagnose(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{here}{path}", SENTRY_DSN=f"http://key@{here}/1")
        return [(one.topic, one.state, one.said) for one in found if one.topic in ("traces", "errors")]

    right, wrong_path = said(), said("/otlp")
    server.shutdown()
    server.server_close()
    gone = said()

    assert right == []
    assert wrong_path == [("traces", State.WARNING, f"http://{here}/otlp/v1/traces answers with HTTP 404")]
    assert [(topic, state) for topic, state, _ in gone] == [("traces", State.WARNING), ("errors", State.WARNING)]
    assert not any("key" in text for _, _, text in gone)


# --- The machine, and the command itself ------------------------------------------------------------------------------


def doctor(cwd: Path, *arguments: str, files: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    return subprocess.run(
        [sys.executable, "manage.py", "doctor", *arguments], cwd=cwd, env=clean_environment(**variables),
        capture_output=True, text=True, timeout=60, check=False, preexec_fn=limit if files else None,
    )  # fmt: skip


@pytest.mark.once
@pytest.mark.processes
def test_a_broken_release_on_a_narrow_machine_is_found(tmp_path: Path, file: Path) -> None:
    release = tmp_path / "release"
    release.mkdir()
    for room in ("seance_project", "realtime", "sessions_app"):
        shutil.copytree(ROOT / room, release / room, ignore=shutil.ignore_patterns("__pycache__", "board.js"))
    shutil.copy(ROOT / "manage.py", release)
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    (release / "requirements.txt").write_text(lock.replace("\nredis==7.", "\nredis==8."), encoding="utf-8")

    done = doctor(release, "--json", files=512, VAR_DIR=str(tmp_path / "var"), DATABASE_URL=f"sqlite:///{file}")

    found = {one["topic"]: one for one in json.loads(done.stdout)["findings"] if one["state"] == "wrong"}
    assert done.returncode == 1
    assert set(found) == {"packages", "file descriptors", "static files"}, found
    assert found["static files"]["said"] == "realtime/board/board.js is missing"
    assert "at most 512" in found["file descriptors"]["said"]
    assert found["packages"]["said"].startswith("redis is 7.")
    assert all(one["remedy"] for one in found.values())


@pytest.mark.once
@pytest.mark.processes
def test_it_ends_with_0_or_1_and_says_it_to_people_too(tmp_path: Path, file: Path) -> None:
    well = doctor(ROOT, VAR_DIR=str(tmp_path), DATABASE_URL=f"sqlite:///{file}")
    bare = doctor(ROOT, VAR_DIR=str(tmp_path), DATABASE_URL=f"sqlite:///{file}", STATIC_ROOT=str(tmp_path / "none"))
    ill = doctor(ROOT, VAR_DIR=str(tmp_path), DATABASE_URL=f"sqlite:///{file}", PORT="x", DEBUG="x")

    assert (well.returncode, well.stdout.splitlines()[-1]) == (0, "0 wrong, 0 warnings."), well
    assert bare.returncode == 1
    assert "✗ static files: STATIC_ROOT is not filled\n    → python manage.py collectstatic" in bare.stdout
    assert ill.returncode == 1
    assert "✗ settings: PORT: must be" in ill.stdout
    assert "    → Set PORT to a whole number from 0 to 65535, or unset it." in ill.stdout
    assert ill.stdout.splitlines()[-1] == "2 wrong, 0 warnings."
