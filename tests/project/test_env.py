"""Tests of seance_project.env: every wrong value is one line that names its variable, and nothing happens before."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from seance_project import env
from seance_project.env import Env, EnvError, is_secret, load
from tests.project.helpers import KEY, OTHER_KEY, PRODUCTION, environment, manage

WRONG = {
    "ENVIRONMENT": ["staging", "Production"],
    "HOST": ["http://127.0.0.1", "a b", "host/path"],
    "PORT": ["eighty", "-1", "65536", "80.5"],
    "LOG_LEVEL": ["loud", "TRACE"],
    "DEBUG": ["maybe", "2"],
    "VAR_DIR": ["var\0dir", "/dev/null/var"],
    "DATABASE_URL": [
        "mysql://root@localhost/x",
        "postgresql://user:hunter2@host:port/x",
        "postgresql://host",
        "sqlite://:memory:",
        "sqlite:////no/such/folder/db.sqlite3",
        "not a url",
    ],
    "DATABASE_REPLICA_URL": ["sqlite:////tmp/x", "nonsense", "postgresql://user:hunter2@host/x"],
    "REDIS_URL": ["http://host", "redis:/host", "localhost:6379", "redis://:hunter2@host/x y", "sentinel://host"],
    "UNJOINED_PER_ADDRESS": ["0", "100001", "some"],
    "REDIS_PUBSUB_URLS": ["redis://host http://host", "redis://:hunter2@host", "localhost:6379"],
    "READ_CACHE": ["everything", "session,secrets", "[1]"],
    "READ_CACHE_SECONDS": ["-1", "86401", "long"],
    "DATABASE_THREADS": ["0", "65", "many"],
    "SECRET_KEY": ["hunter2", "x" * 31],
    "JWT_SECRET": ["hunter2", "x" * 31],
    "JWT_ALGORITHM": ["none", "RS256", "hs256"],
    "ACCESS_TOKEN_EXPIRE_MINUTES": ["0", "-5", "1441", "half"],
    "REFRESH_TOKEN_EXPIRE_DAYS": ["0", "366", "x"],
    "ALLOWED_HOSTS": ["https://example.org", "example.org:8000", "a,,b", '["a"', "[1]", "a b"],
    "CORS_ORIGINS": [
        "example.org",
        "https://example.org/",
        "https://Example.org",
        "null",
        "https://a,ftp://b",
        '{"a": 1}',
        '["https://a", 1]',
    ],
    "TRUSTED_PROXY_COUNT": ["-1", "11", "all"],
    "SECURE_SSL_REDIRECT": ["sometimes"],
    "STATIC_ROOT": ["a\x07b"],
    "STATIC_URL": ["static/", "/static", "/", "https://cdn.example.org", "https://cdn.example.org/", "ftp://a/static/"],
    "ALLOW_ANONYMOUS": ["sure", "2"],
    "EMAIL_VERIFICATION": ["sure"],
    "EMAIL_URL": ["mail.example.org", "imap://mail", "smtp://user:hunter2@"],
    "EMAIL_FROM": ["nobody", "a@b\r\nBcc: c@d"],
    "ADMIN_EMAIL": ["admin", "a b@c"],
    "ADMIN_PASSWORD": ["hunter2"],
    "OAUTH_PROVIDERS": [
        "hunter2",
        "{}",
        "[1]",
        '[{"name": "google"}]',
        '[{"name": "google", "client_id": "a", "client_secret": "hunter2", "colour": "red"}]',
        '[{"name": "house", "client_id": "a", "client_secret": "hunter2"}]',
        '[{"name": "house", "client_id": "a", "client_secret": "hunter2", "issuer": "http://id.example.org"}]',
        '[{"name": "A house", "client_id": "a", "client_secret": "hunter2", "issuer": "https://id.example.org"}]',
        '[{"name": "x", "kind": "github", "client_id": "a", "client_secret": "hunter2"}]',
        '[{"name": "google", "client_id": "a"}, {"name": "google", "client_id": "b"}]',
    ],
    "MAX_USERS_LIMIT": ["1", "1001", "twelve"],
    "RATE_LIMITS_ENABLED": ["perhaps"],
    "MESSAGES_BURST": ["0", "x"],
    "MESSAGES_PER_MINUTE": ["0", "x"],
    "SOCKET_FRAMES_PER_MINUTE": ["0", "x"],
    "RATE_LIMITS": [
        "logins",
        "logins=0/minute",
        "logins=5/week",
        "logins=5 per minute",
        "logins=5/0 second",
        "logins=5/10second",
        "nothing=5/minute",
        "reads=1/day,",
    ],
    "SOCKETS_PER_ADDRESS": ["0", "x"],
    "SOCKETS_PER_USER": ["0", "x"],
    "BAD_FRAMES_PER_MINUTE": ["0", "x"],
    "FRAME_MAX_BYTES": ["1023", "65537", "16K"],
    "JSON_MAX_DEPTH": ["1", "65", "x"],
    "OUTBOUND_MAX_BYTES": ["1", "1M"],
    "OUTBOUND_MAX_SECONDS": ["0", "601", "nan", "inf", "x"],
    "RECENT_MESSAGES": ["-1", "201", "x"],
    "RESUME_MAX_EVENTS": ["0", "x"],
    "JOIN_WAIT_SECONDS": ["0", "nan", "x"],
    "HEARTBEAT_SECONDS": ["0", "x"],
    "PING_SECONDS": ["0", "x"],
    "PRESENCE_LEASE_SECONDS": ["0", "30", "x"],
    "PRESENCE_RENEW_SECONDS": ["0", "x"],
    "SEAT_GRACE_SECONDS": ["-1", "nan", "x"],
    "HEAD_POLL_SECONDS": ["0", "x"],
    "DRAIN_SECONDS": ["-1", "121", "x"],
    "ROLLUP_SECONDS": ["-1", "86401", "never"],
    "OTEL_EXPORTER_OTLP_ENDPOINT": ["collector:4318", "ftp://collector"],
    "SENTRY_DSN": ["sentry.io", "https://sentry.io/1", "https://key@sentry.io"],
    "RETENTION_DAYS": ["-1", "86401", "never"],
    "SPIRIT_PROVIDERS": ["ghost", "oracle,", "oracle,oracle", "[]"],
    "SPIRIT_BASE_URL": ["localhost:8080", "ftp://x"],
    "SPIRIT_API_KEY": ["hunter2 with space", "hunter2\nX-Evil: 1"],
    "SPIRIT_MODEL": ["a\nb"],
    "SPIRIT_SECONDARY_BASE_URL": ["localhost:8080", "ftp://x"],
    "SPIRIT_SECONDARY_API_KEY": ["hunter3 with space", "hunter3\nX-Evil: 1"],
    "SPIRIT_SECONDARY_MODEL": ["a\nb"],
    "SPIRIT_PROMPT_PRICE": ["-1", "0.5"],
    "SPIRIT_COMPLETION_PRICE": ["-1", "much"],
    "SPIRIT_FIRST_TOKEN_SECONDS": ["0", "61"],
    "SPIRIT_TOTAL_SECONDS": ["0", "121"],
    "SPIRIT_LEASE_SECONDS": ["0", "601"],
    "SPIRIT_CACHE_SECONDS": ["-1", "2592001"],
    "SPIRIT_CALLS_PER_SEAT": ["-1", "many"],
    "SPIRIT_CALLS_PER_SESSION": ["-1", "many"],
    "SPIRIT_CALLS_PER_PROVIDER": ["-1", "many"],
    "SPIRIT_CALLS_PER_DAY": ["-1", "many"],
    "SPIRIT_TOKENS_PER_DAY": ["-1", "many"],
    "SPIRIT_HELP_LINES": ['["a\\nb"]', "[1]"],
    "SPIRIT_ALLOW_NETWORK": ["never"],
    "WEBHOOK_ALLOW_INTERNAL": ["perhaps"],
}
SECRETS = {field.name.upper() for field in msgspec.structs.fields(Env) if is_secret(field)}


def refused(variables: dict[str, str], var: Path) -> EnvError:
    with pytest.raises(EnvError) as caught:
        load({"VAR_DIR": str(var)} | variables, env_file=Path(os.devnull))
    return caught.value


def accepted(var: Path, **variables: str) -> Env:
    return load({"VAR_DIR": str(var)} | variables, env_file=Path(os.devnull))


def test_every_variable_has_wrong_values_to_be_refused() -> None:
    assert set(WRONG) == {name.upper() for name in Env.__struct_fields__}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_one_line_that_names_the_variable(name: str, value: str, tmp_path: Path) -> None:
    error = refused({name: value}, tmp_path / "var")

    assert error.variable == name
    assert str(error).startswith(f"{name}: ")
    assert str(error).isprintable()
    assert len(str(error)) > len(name) + 10
    assert not (tmp_path / "var").exists(), "something was created before the refusal"


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_the_wrong_value_of_a_secret_is_never_repeated(name: str, tmp_path: Path) -> None:
    for value in WRONG[name]:
        assert "hunter2" not in str(refused({name: value}, tmp_path))


def test_the_wrong_value_of_no_secret_is_shown_shortened(tmp_path: Path) -> None:
    error = refused({"PORT": "9" * 10_000}, tmp_path)

    assert "'999" in str(error)
    assert len(str(error)) < 200


def test_without_any_variable_development_starts_with_keys_of_its_own(tmp_path: Path) -> None:
    first, second = accepted(tmp_path / "var"), accepted(tmp_path / "var")

    assert len(first.jwt_secret.encode()) >= 32
    assert first.jwt_secret != first.secret_key
    assert (first.jwt_secret, first.secret_key) == (second.jwt_secret, second.secret_key)
    for name in ("jwt_secret", "secret_key"):
        assert (tmp_path / "var" / name).stat().st_mode & 0o777 == 0o600


def test_a_kept_key_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jwt_secret").write_text("short")

    assert refused({}, tmp_path).variable == "JWT_SECRET"


def test_a_variable_set_to_nothing_is_unset(tmp_path: Path) -> None:
    settings = accepted(tmp_path, PORT="", MAX_USERS_LIMIT=" ", SPIRIT_PROVIDERS="", DATABASE_URL="")

    assert (settings.port, settings.max_users_limit, settings.spirit_providers) == (8000, 12, ("oracle",))


@pytest.mark.parametrize("text", ["https://a.example,http://b:81", ' ["https://a.example", "http://b:81"] '])
def test_lists_are_json_or_comma_separated(text: str, tmp_path: Path) -> None:
    assert accepted(tmp_path, CORS_ORIGINS=text).cors_origins == ("https://a.example", "http://b:81")


@pytest.mark.parametrize(("text", "meant"), [("true", True), ("False", False), ("1", True), ("0", False)])
def test_truth_is_written_in_words_or_digits(text: str, meant: bool, tmp_path: Path) -> None:
    assert accepted(tmp_path, ALLOW_ANONYMOUS=text).allow_anonymous is meant


def test_the_environment_wins_over_the_file_and_a_dollar_is_just_a_dollar(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT=9000\nLOG_LEVEL=debug\nSPIRIT_API_KEY=pa$$HOME${PORT}\n", encoding="utf-8")

    settings = load({"VAR_DIR": str(tmp_path), "PORT": "9001"}, env_file=file)

    assert (settings.port, settings.log_level, settings.spirit_api_key) == (9001, "DEBUG", "pa$$HOME${PORT}")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"PORT=\xff\xfe")
    (tmp_path / "b").write_text("PORT\n")

    with pytest.raises(EnvError, match=r"^\.env: "):
        load({}, env_file=tmp_path / "a")
    with pytest.raises(EnvError, match=r"^PORT: "):
        load({}, env_file=tmp_path / "b")


def test_settings_do_not_print_their_secrets(tmp_path: Path) -> None:
    settings = accepted(tmp_path, JWT_SECRET=KEY, SECRET_KEY=OTHER_KEY, REDIS_URL="redis://:hunter2@host/0")

    assert KEY not in repr(settings)
    assert "hunter2" not in repr(settings)
    assert "max_users_limit=12" in repr(settings)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SECRET_KEY": KEY, "JWT_SECRET": KEY}, "JWT_SECRET"),
        ({"ADMIN_EMAIL": "a@example.org"}, "ADMIN_PASSWORD"),
        ({"ADMIN_PASSWORD": "a long enough one"}, "ADMIN_EMAIL"),
        ({"PRESENCE_RENEW_SECONDS": "30"}, "PRESENCE_LEASE_SECONDS"),
        ({"SPIRIT_PROVIDERS": "openai_compat"}, "SPIRIT_BASE_URL"),
        ({"SPIRIT_PROVIDERS": "secondary"}, "SPIRIT_SECONDARY_BASE_URL"),
        ({"SPIRIT_PROVIDERS": "openai_compat", "SPIRIT_BASE_URL": "http://localhost:1"}, "SPIRIT_MODEL"),
        (
            {
                "SPIRIT_PROVIDERS": "openai_compat,oracle",
                "SPIRIT_BASE_URL": "http://localhost:1",
                "SPIRIT_MODEL": "m",
                "SPIRIT_ALLOW_NETWORK": "false",
            },
            "SPIRIT_ALLOW_NETWORK",
        ),
    ],
)
def test_variables_that_contradict_each_other_are_refused(
    variables: dict[str, str], named: str, tmp_path: Path
) -> None:
    assert refused(variables, tmp_path).variable == named


@pytest.mark.parametrize(
    "entry", [["manage.py", "check"], ["-c", "import seance_project.asgi"]], ids=["manage", "asgi"]
)
def test_a_process_with_a_wrong_value_ends_with_one_line_and_78(entry: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, *entry],
        env=environment(tmp_path / "var", PORT="eighty"),
        cwd=env.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 78
    assert done.stderr == "PORT: must be a whole number from 0 to 65535, not 'eighty'\n"
    assert done.stdout == ""
    assert not (tmp_path / "var").exists()


def test_production_without_keys_ends_with_one_line_and_78(tmp_path: Path) -> None:
    done = manage("check", env=environment(tmp_path / "var", ENVIRONMENT="production"))

    assert done.returncode == 78
    assert done.stderr.startswith("SECRET_KEY: is required in production")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "var").exists()


def test_two_processes_that_start_at_once_make_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = {settings.jwt_secret for settings in pool.map(lambda _: accepted(tmp_path), range(64))}

    assert len(keys) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jwt_secret", "secret_key"]


def test_production_is_accepted_when_it_is_complete(tmp_path: Path) -> None:
    settings = load(PRODUCTION | {"VAR_DIR": str(tmp_path)}, env_file=Path(os.devnull))

    assert settings.is_production
    assert settings.email_verification is True
    assert accepted(tmp_path).email_verification is False
