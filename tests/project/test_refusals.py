"""Tests of seance_project.refusals: what production does not start with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seance_project.env import EnvError, load
from seance_project.refusals import file_system_of
from tests.project.helpers import KEY, OTHER_KEY, PRODUCTION


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"JWT_SECRET": ""}, "JWT_SECRET"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"JWT_SECRET": "short"}, "JWT_SECRET"),
        ({"JWT_SECRET": "é" * 15}, "JWT_SECRET"),
        ({"SECRET_KEY": "x" * 64}, "SECRET_KEY"),
        ({"SECRET_KEY": f"django-insecure-{KEY}"}, "SECRET_KEY"),
        ({"JWT_SECRET": f"CHANGE-ME-{OTHER_KEY}"}, "JWT_SECRET"),
        ({"SECRET_KEY": OTHER_KEY}, "JWT_SECRET"),
        ({"DEBUG": "true"}, "DEBUG"),
        ({"WEBHOOK_ALLOW_INTERNAL": "true"}, "WEBHOOK_ALLOW_INTERNAL"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": "example.org,*"}, "ALLOWED_HOSTS"),
        ({"CORS_ORIGINS": "*"}, "CORS_ORIGINS"),
        ({"CORS_ORIGINS": '["https://example.org", "*"]'}, "CORS_ORIGINS"),
    ],
)
def test_production_refuses_what_is_unsafe(variables: dict[str, str], named: str, tmp_path: Path) -> None:
    with pytest.raises(EnvError) as caught:
        load(PRODUCTION | {"VAR_DIR": str(tmp_path / "var")} | variables, env_file=Path(os.devnull))

    assert caught.value.variable == named
    assert KEY not in str(caught.value)
    assert not (tmp_path / "var").exists()


def test_a_key_of_32_bytes_counts_bytes_not_characters(tmp_path: Path) -> None:
    key = "é" * 11 + "0123456789"  # 21 characters, 32 bytes

    settings = load(PRODUCTION | {"VAR_DIR": str(tmp_path), "JWT_SECRET": key}, env_file=Path(os.devnull))

    assert settings.jwt_secret == key


def test_development_may_allow_every_host_and_origin(tmp_path: Path) -> None:
    settings = load({"VAR_DIR": str(tmp_path), "ALLOWED_HOSTS": "*", "CORS_ORIGINS": "*"}, env_file=Path(os.devnull))

    assert settings.allowed_hosts == settings.cors_origins == ("*",)


def test_production_with_its_services_elsewhere_writes_nothing(tmp_path: Path) -> None:
    elsewhere = {
        "DATABASE_URL": "postgresql://db/seance",
        "REDIS_URL": "redis://cache",
        "VAR_DIR": str(tmp_path / "var"),
    }

    load(PRODUCTION | elsewhere, env_file=Path(os.devnull))

    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("urls", "redis", "said"),
    [
        ("redis://a redis://b", "", "needs a REDIS_URL, which has everything else"),
        ("redis://:hunter2@a redis://:hunter2@a", "redis://c", "names a server twice"),
        ("redis://:hunter2@a/0,redis://b/0", "redis://c", "commas between its servers"),
        ("redis://:hunter2@a redis://a:b:c", "redis://c", "must name its hosts"),
    ],
)
def test_servers_for_events_that_cannot_work_are_refused(tmp_path: Path, urls: str, redis: str, said: str) -> None:
    with pytest.raises(EnvError) as refusal:
        load({"VAR_DIR": str(tmp_path), "REDIS_URL": redis, "REDIS_PUBSUB_URLS": urls}, env_file=Path(os.devnull))

    assert str(refusal.value).startswith("REDIS_PUBSUB_URLS: ")
    assert said in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_the_file_system_is_that_of_the_closest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path}/with\\040space nfs4 rw 0 0\n")

    assert file_system_of(tmp_path / "with space" / "db.sqlite3", mounts) == "nfs4"
    assert file_system_of(tmp_path / "other" / "db.sqlite3", mounts) == "ext4"
    assert file_system_of(tmp_path, tmp_path / "missing") == ""


def test_production_refuses_sqlite_on_a_network_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seance_project.refusals.file_system_of", lambda _path: "nfs4")

    with pytest.raises(EnvError, match=r"^DATABASE_URL: .*network"):
        load(PRODUCTION | {"VAR_DIR": str(tmp_path)}, env_file=Path(os.devnull))
