"""Tests of the documentation: the README's round trip, pasted into a shell with a real server running."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command, get_commands, load_command_class

from realtime.protocol import CLIENT_EVENTS
from sessions_app.events import SERVER_EVENTS
from tests.docs.pages import README, ROOT, Block, blocks, section
from tests.harness.processes import clean_environment
from tests.harness.server import Backend, Server, Stack
from tests.harness.services import Databases


@pytest.fixture(scope="module")
def server(databases: Databases, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the limits that a reader's has."""
    stack = Stack(tmp_path_factory.mktemp("readme"), databases, backend)
    yield stack.server(RATE_LIMITS_ENABLED="true", MAX_USERS_LIMIT="12")
    stack.close()


def as_pattern(expected: str) -> str:
    """The text of an output block as a regular expression: `…` is anything, to the end of its line at most."""
    return r"[^\n]+".join(re.escape(part) for part in expected.split("…"))


def round_trip() -> tuple[str, str, dict[str, str]]:
    """The shell's blocks as one script, what they should print, and the files that are to be saved before."""
    script, expected, files = "", "", {}
    text = section(README, "## A round trip")
    for block in blocks(README):
        if block.text not in text:
            continue
        if block.language == "sh":
            script += block.text
        elif block.language == "text":
            expected += block.text
        elif block.language == "python":
            files[saved_as(block)] = block.text
    return script, expected, files


def saved_as(block: Block) -> str:
    found = re.search(r"Save this as `([\w.]+)`", block.before)
    assert found, f"no file name in front of: {block.text[:60]}"
    return found[1]


@pytest.mark.processes
def test_the_round_trip_prints_what_the_readme_says(server: Server, tmp_path: Path) -> None:
    script, expected, files = round_trip()
    folder = tmp_path / "reader"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    script = script.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
    script = script.replace(".venv/bin/python", shlex.quote(sys.executable))

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.fullmatch(as_pattern(expected), done.stdout), f"said:\n{done.stdout}\nwas to say:\n{expected}"
    assert len(files) == 1
    assert server.said().count("Traceback") == 0


@pytest.mark.django_db
def test_the_commands_of_the_readme_work(capsys: pytest.CaptureFixture[str]) -> None:
    lines = re.findall(r"^\| `python manage.py ([^`]+)` \|", section(README, "## Commands"), re.MULTILINE)
    call_command("create_session", "Friday night")
    session = capsys.readouterr().out.split()[1]

    said = {}
    for line in lines:
        name, *arguments = (session if word == "ID" else word for word in shlex.split(line))
        if name in {"serve", "runserver", "join", "doctor"}:  # the last looks past the tests' own database
            app = get_commands()[name]
            load_command_class(app, name).create_parser("manage.py", name).parse_args(arguments)
        else:
            call_command(name, *arguments)
        said[name] = capsys.readouterr().out

    assert session in said["list_sessions"]
    assert "Friday night" in said["end_session"]
    assert said["issue_token"].count(".") == 2


# React's three hooks, as far as one render needs them, and a visitor who waits to be in and then asks.
STUBS = """
const cells = [], effects = [];
const useState = (value) => {
  const cell = { value };
  cells.push(cell);
  return [value, (next) => { cell.value = typeof next === "function" ? next(cell.value) : next; }];
};
const useEffect = (effect) => effects.push(effect);
const useRef = (current) => ({ current });
"""
VISIT = """
const until = async (holds) => { while (!holds()) await new Promise((done) => setTimeout(done, 10)); };
const { messages, say } = useSeance(process.env.SESSION, "Ada");
const leave = effects[0]();
await until(() => cells[0].value !== messages);
say("Is anyone there?");
await until(() => cells[0].value.length === 2);
for (const { user_name: name, is_spirit: isSpirit } of cells[0].value) console.log(isSpirit ? "the spirit" : name);
leave();
"""


@pytest.mark.processes
@pytest.mark.skipif(not shutil.which("node") and os.environ.get("REQUIRE_SERVICES") != "1", reason="needs Node.js")
def test_the_front_end_s_example_works(server: Server, tmp_path: Path) -> None:
    session = server.create_session(mode="open")
    (block,) = [block for block in blocks(README) if block.language == "jsx"]
    module = tmp_path / "visit.mjs"
    module.write_text(STUBS + re.sub(r'^import .* from "react";$', "", block.text, flags=re.MULTILINE) + VISIT)
    env = {"NEXT_PUBLIC_SEANCE": f"ws://127.0.0.1:{server.port}", "SESSION": session.id}

    done = subprocess.run(
        ["node", "--no-warnings", "--experimental-websocket", str(module)],
        env=clean_environment(**env),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["Ada", "the spirit"]


def test_the_front_end_s_example_names_events_that_exist() -> None:
    (block,) = [block for block in blocks(README) if block.language == "jsx"]

    heard = set(re.findall(r'event === "(\w+)"', block.text))
    told = set(re.findall(r'tell\("(\w+)"', block.text))

    assert heard == {"welcome", "message_received", "spirit_response", "message_deleted"} <= set(SERVER_EVENTS)
    assert told == {"join_session", "send_message"} <= set(CLIENT_EVENTS)


def test_make_knows_the_targets_of_the_readme() -> None:
    targets = set(re.findall(r"\bmake (\w+)", README.read_text(encoding="utf-8")))
    known = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    assert {"run", "test", "help"} <= targets <= known
