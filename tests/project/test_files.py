"""Tests of the files at the root: fresh where they are generated, consistent where they repeat each other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from dotenv import dotenv_values

from scripts import check_generated
from seance_project import env_example
from seance_project.env import Env
from tests.project.helpers import ROOT

EXAMPLE = ROOT / ".env.example"


def test_the_example_environment_is_what_the_code_says() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == env_example.render()


def test_the_example_environment_has_every_variable_once_with_its_default() -> None:
    uncommented = re.sub(r"^#([A-Z_]+=)", r"\1", EXAMPLE.read_text(encoding="utf-8"), flags=re.M)
    values = dotenv_values(stream=StringIO(uncommented), interpolate=False)

    assert list(values) == [name.upper() for name in Env.__struct_fields__]
    for field in msgspec.structs.fields(Env):
        assert values[field.name.upper()] == env_example.shown(field.default).strip('"')


def test_every_variable_is_explained() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")

    assert len(re.findall(r"^# .+\n# .+\n#[A-Z_]+=", text, re.M)) == len(Env.__struct_fields__)


def test_the_locks_answer_to_the_project() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/check_generated.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(
    not shutil.which("node") and os.environ.get("REQUIRE_SERVICES") != "1",
    reason="the client's types are made with Node",
)
def test_a_stale_line_of_the_clients_types_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tmp_path / "clients" / "typescript"
    for folder in ("scripts", "src/generated"):
        shutil.copytree(ROOT / "clients" / "typescript" / folder, client / folder)
    for name in ("manage.py", "seance_project", "realtime", "sessions_app"):
        (tmp_path / name).symlink_to(ROOT / name)
    events = client / "src" / "generated" / "events.ts"
    monkeypatch.setattr(check_generated, "ROOT", tmp_path)

    events.write_text(events.read_text(encoding="utf-8").replace("4006: true", "4006: false"), encoding="utf-8")

    assert list(check_generated.stale_types()) == [
        "clients/typescript/src/generated/events.ts is out of date: run `make generate`"
    ]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_a_lock_has_hashes_and_no_hosts(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")

    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    packages = re.findall(r"^[\w.-]+(?:\[[^]]*\])?==.*$", text, re.M)
    assert len(packages) > 30
    assert all(line.endswith("\\") for line in packages), "a package without a hash"


def test_the_spirit_service_imports_nothing_else_of_its_room() -> None:
    found = [
        (path.name, module)
        for path in (ROOT / "sessions_app" / "spirits").rglob("*.py")
        for module in re.findall(r"^\s*(?:from|import) (sessions_app[\w.]*)", path.read_text(encoding="utf-8"), re.M)
        if not module.startswith("sessions_app.spirits")
    ]

    assert found == []


def test_the_container_runs_the_server_itself_as_nobody_special() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert '\nCMD ["python", "manage.py", "serve"]' in text
    assert text.index("\nUSER 10001") < text.index("\nCMD")
    assert "--require-hashes" in text
    copied = set(re.findall(r"^COPY (?:--\S+ )*(\S+) ", text, re.M)) - {"/venv"}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_every_make_target_is_in_its_help() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)

    for target in ("run", "test", "check", "lock", "migrations-check", "bench", "faults", "clean", "help"):
        assert re.search(rf"^  make {target} ", done.stdout, re.M), target


def test_the_first_line_of_every_module_says_which_room_it_is() -> None:
    for path in sorted((ROOT / "seance_project").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert not text or text.startswith('"""seance_project'), path
