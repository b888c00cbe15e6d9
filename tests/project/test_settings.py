"""Tests of seance_project.settings and what it is made of: databases, cache, channel layer, mail, system checks."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import pytest
from csp.constants import NONCE
from csp.decorators import csp_exempt, csp_update
from csp.exceptions import CSPNonceError
from csp.middleware import CSPMiddleware
from django.core.checks import run_checks
from django.db import connection
from django.db.utils import ConnectionHandler
from django.http import HttpResponse
from django.test import RequestFactory

from seance_project import databases, mail
from seance_project.checks import (
    keys_differ,
    mails_are_sent,
    origins_are_exact,
    request_log_is_outermost,
    transactions_wait,
)
from seance_project.env import Env, load
from seance_project.middleware import PolicyMiddleware
from tests.project.helpers import PRODUCTION, environment, manage


def env(var: Path, **variables: str) -> Env:
    return load({"VAR_DIR": str(var)} | variables, env_file=Path(os.devnull))


def test_sqlite_takes_its_lock_at_begin_and_survives_a_power_cut(tmp_path: Path) -> None:
    default = databases.databases(env(tmp_path))["default"]

    assert default["NAME"] == str(tmp_path / "seance.sqlite3")
    assert default["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert default["OPTIONS"]["timeout"] == 5
    assert "synchronous=FULL" in default["OPTIONS"]["init_command"]
    assert "journal_mode=WAL" in default["OPTIONS"]["init_command"]


@pytest.mark.django_db  # to be let through to a database of its own
def test_a_connection_to_sqlite_keeps_little(tmp_path: Path) -> None:
    wrapper = ConnectionHandler(databases.databases(env(tmp_path)))["default"]
    before = _statements()
    with wrapper.cursor() as cursor:
        for number in range(150):
            cursor.execute(f"SELECT {number}").fetchall()
        assert 0 < _statements() - before < 60
        assert cursor.execute("PRAGMA cache_size").fetchone() == (-512,)
    wrapper.close()


def _statements() -> int:
    return sum(type(one).__name__ == "Statement" for one in gc.get_objects())


def test_postgresql_waits_for_nothing_for_ever(tmp_path: Path) -> None:
    url = "postgresql://u:p%40ss@db:5433/seance?sslmode=require&options=-c%20lock_timeout%3D3s"

    default = databases.databases(env(tmp_path, DATABASE_URL=url))["default"]

    options = default["OPTIONS"]
    assert (default["PASSWORD"], default["HOST"], default["PORT"]) == ("p@ss", "db", 5433)
    assert default["CONN_MAX_AGE"] is None
    assert default["CONN_HEALTH_CHECKS"] is False  # realtime.bridge looks at the socket instead
    assert "statement_timeout=10s" in options["options"]
    assert "idle_in_transaction_session_timeout=15s" in options["options"]
    assert options["options"].endswith("-c lock_timeout=3s"), "the URL has the last word"
    assert "-c tcp_keepalives_idle=10" in options["options"]
    assert (options["connect_timeout"], options["sslmode"], options["application_name"]) == (5, "require", "seance")
    assert options["prepare_threshold"] is not None, "psycopg would prepare nothing"
    assert options["target_session_attrs"] == "primary", "a standby would be kept, and take nothing"


def test_behind_a_pooler_a_connection_remembers_nothing(tmp_path: Path) -> None:
    default = databases.databases(env(tmp_path, DATABASE_URL="postgresql://db/x?pooler=transaction"))["default"]

    assert default["OPTIONS"] == {
        "connect_timeout": 5,
        "application_name": "seance",
        "target_session_attrs": "primary",
        "prepare_threshold": None,
    }
    assert default["DISABLE_SERVER_SIDE_CURSORS"] is True


def test_a_replica_is_a_second_database_that_tests_take_for_the_first(tmp_path: Path) -> None:
    urls = {"DATABASE_URL": "postgresql://a/x", "DATABASE_REPLICA_URL": "postgresql://b/x"}

    replica = databases.databases(env(tmp_path, **urls))["replica"]

    assert replica["HOST"] == "b"
    assert replica["TEST"] == {"MIRROR": "default"}
    assert replica["OPTIONS"]["target_session_attrs"] == "any"


def test_a_database_may_have_several_hosts(tmp_path: Path) -> None:
    url = "postgresql://u:p%40ss@/seance?host=a,b&port=5432,5433"

    default = databases.databases(env(tmp_path, DATABASE_URL=url))["default"]

    assert (default["HOST"], default["PORT"], default["NAME"]) == ("", "", "seance")
    assert (default["OPTIONS"]["host"], default["OPTIONS"]["port"]) == ("a,b", "5432,5433")


def test_without_redis_everything_is_in_memory_and_with_it_a_dead_one_is_a_miss(tmp_path: Path) -> None:
    alone, shared = env(tmp_path), env(tmp_path, REDIS_URL="redis://cache:6379/1")

    assert "locmem" in databases.caches(alone)["default"]["BACKEND"]
    assert "InMemory" in databases.channel_layers(alone)["default"]["BACKEND"]
    options = databases.caches(shared)["default"]["OPTIONS"]
    assert options["IGNORE_EXCEPTIONS"] is True
    assert options["CONNECTION_FACTORY"] == "sessions_app.redis_links.Factory"
    assert databases.channel_layers(shared)["default"]["CONFIG"]["hosts"] == ["redis://cache:6379/1"]
    several = env(tmp_path, REDIS_URL="redis://cache:6379/1", REDIS_PUBSUB_URLS="redis://a  sentinel://b,c/d")
    assert databases.channel_layers(several)["default"]["CONFIG"]["hosts"] == ["redis://a", "sentinel://b,c/d"]
    assert databases.caches(several)["default"]["LOCATION"] == ["redis://cache:6379/1"]


@pytest.mark.parametrize(
    ("url", "backend", "server"),
    [
        ("", "console", mail.Server()),
        ("console:", "console", mail.Server()),
        ("smtp://mail", "smtp", mail.Server("mail", 25)),
        ("smtp+tls://u:p%40ss@mail", "smtp", mail.Server("mail", 587, "u", "p@ss", starttls=True)),
        ("smtps://u@mail:466/", "smtp", mail.Server("mail", 466, "u", tls=True)),
    ],
)
def test_mail_is_one_url(url: str, backend: str, server: mail.Server, tmp_path: Path) -> None:
    found, made = mail.settings(env(tmp_path, EMAIL_URL=url))

    assert found == f"django.core.mail.backends.{backend}.EmailBackend"
    assert made == server


def test_production_without_a_mail_server_writes_files_not_logs(tmp_path: Path) -> None:
    backend, _ = mail.settings(env(tmp_path, **PRODUCTION))

    assert "filebased" in backend


def test_production_serves_plain_http_behind_its_proxy_and_sets_hsts(tmp_path: Path) -> None:
    code = (
        "from django.conf import settings as s; "
        "print(s.DEBUG, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 0, s.SESSION_COOKIE_SECURE, s.APPEND_SLASH, "
        "'daphne' in s.INSTALLED_APPS, s.SECURE_PROXY_SSL_HEADER, s.ALLOWED_HOSTS)"
    )

    done = manage("shell", "-v0", "--no-imports", "-c", code, env=environment(tmp_path, **PRODUCTION))

    assert done.stdout.strip() == "False False True True False False None ['127.0.0.1', 'localhost']", done.stderr


def test_system_checks_pass_as_the_settings_are() -> None:
    ours = [message for message in run_checks(databases=None) if (message.id or "").startswith("seance.")]

    assert ours == []


def test_system_checks_notice_what_was_undone(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SIMPLE_JWT = {"SIGNING_KEY": settings.SECRET_KEY}
    monkeypatch.setitem(settings.DATABASES, "default", {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {}})
    settings.CORS_ALLOW_ALL_ORIGINS = settings.CORS_ALLOW_CREDENTIALS = True
    settings.MIDDLEWARE = settings.MIDDLEWARE[1:]

    found = [*keys_differ(), *transactions_wait(), *origins_are_exact(), *request_log_is_outermost()]

    assert [message.id for message in found] == ["seance.E001", "seance.E002", "seance.E003", "seance.E004"]


def test_a_check_warns_where_nobody_would_get_the_mail_to_confirm(settings: Any, tmp_path: Path) -> None:
    settings.SEANCE = env(tmp_path, **PRODUCTION)
    assert [message.id for message in mails_are_sent()] == ["seance.W001"]

    settings.SEANCE = env(tmp_path, **PRODUCTION, EMAIL_URL="smtp://mail")
    assert mails_are_sent() == []


def test_responses_forbid_inline_scripts_and_frames(client: Any) -> None:
    response = client.get("/no/such/path")

    policy = response["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert "Server" not in response


def test_the_policy_that_is_built_once_is_the_one_django_csp_builds(rf: Any) -> None:
    request, told = rf.get("/"), HttpResponse()
    middleware: Any = PolicyMiddleware(lambda _: told)
    original: Any = CSPMiddleware(lambda _: HttpResponse())

    ours = middleware(request)["Content-Security-Policy"]
    theirs = original(rf.get("/"))["Content-Security-Policy"]

    assert sorted(ours.split("; ")) == sorted(theirs.split("; "))
    with pytest.raises(CSPNonceError):  # the header is made, and would not know it
        str(request.csp_nonce)


def test_a_policy_of_a_view_s_own_stands() -> None:
    def view(request: Any) -> HttpResponse:
        return HttpResponse(str(request.csp_nonce))

    answers: dict[str, Any] = {
        "a nonce": PolicyMiddleware(csp_update({"style-src": [NONCE]})(view)),
        "none at all": PolicyMiddleware(csp_exempt()(lambda _: HttpResponse())),
    }
    found = {name: middleware(RequestFactory().get("/")) for name, middleware in answers.items()}

    assert f"'nonce-{found['a nonce'].content.decode()}'" in found["a nonce"]["Content-Security-Policy"]
    assert "Content-Security-Policy" not in found["none at all"]


@pytest.mark.django_db
def test_statements_are_logged_without_their_values() -> None:
    from structlog.testing import capture_logs

    from seance_project import sql_log

    sql_log._watch(connection)
    try:
        with capture_logs() as lines, connection.cursor() as cursor:
            cursor.execute("SELECT %s", ["hunter2"])
    finally:
        connection.execute_wrappers.remove(sql_log._through_django)

    (line,) = lines
    assert (line["event"], line["sql"], line["alias"]) == ("sql", "SELECT %s", "default")
    assert "hunter2" not in str(line)
