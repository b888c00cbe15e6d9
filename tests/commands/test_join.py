"""Tests of `join`, and of exit codes: real processes, a real server, a real terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.services import Databases
from tests.project.helpers import ROOT, environment, free_port, serving, stop

pytestmark = [pytest.mark.processes, pytest.mark.once]


class House:
    """A server of its own, with a database of its own."""

    def __init__(self, env: dict[str, str], port: int) -> None:
        self.env, self.port = env | {"PORT": str(port)}, port

    def manage(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.env, input=given, capture_output=True, text=True, timeout=60, check=False
        )

    def session(self, *, mode: str = "open", pace: str = "instant", access: str = "open") -> dict[str, str]:
        """A session's id and its host's token."""
        body = {"name": "Friday", "access": access, "spirit": {"mode": mode, "pace": pace}}
        url, headers = f"http://127.0.0.1:{self.port}/api/sessions", {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            made = json.load(response)
        return {"id": made["data"]["id"], "host_token": made["meta"]["host_token"]}

    def history(self, session: str) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self.port}/api/sessions/{session}/history"
        with urllib.request.urlopen(url, timeout=20) as response:  # noqa: S310
            found: list[dict[str, Any]] = json.load(response)["data"]
        return found

    def sitting(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "manage.py", "join", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=self.env, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def migrated(databases: Databases, var: Path, **variables: str) -> dict[str, str]:
    databases.sqlite(var)
    return environment(var, SPIRIT_ALLOW_NETWORK="false", LOG_LEVEL="WARNING", **variables)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> dict[str, str]:
    return migrated(databases, tmp_path_factory.mktemp("house"))


@pytest.fixture(scope="module")
def house(env: dict[str, str]) -> Iterator[House]:
    port = free_port()
    with serving(env=env, port=port):
        yield House(env, port)


def read_until(process: subprocess.Popen[str], pattern: str, seconds: float = 20) -> str:
    """What a process writes, until the pattern is in it."""
    assert process.stdout is not None
    text, deadline = "", time.monotonic() + seconds
    while not re.search(pattern, text):
        assert time.monotonic() < deadline, text
        ready, _, _ = select.select([process.stdout], [], [], 0.2)
        if ready:
            chunk = os.read(process.stdout.fileno(), 65_536).decode()
            assert chunk, text
            text += chunk
    return text


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def test_piped_lines_are_said_in_order_and_answered(house: House) -> None:
    session = house.session()["id"]

    done = house.manage("join", session, "--name", "Ana", given="/who\nIs anyone there?\n//slash\n")

    assert (done.returncode, done.stderr) == (0, "")
    assert "* Ana sits in “Friday”, alone\n* Here: Ana\nAna: Is anyone there?\n" in done.stdout
    assert done.stdout.count("The spirit: ") == 2
    assert done.stdout.count("  ✦ ") == 2
    assert [one["text"] for one in house.history(session) if not one["is_spirit"]] == ["Is anyone there?", "/slash"]


def test_as_json_it_writes_the_frames_and_nothing_else(house: House) -> None:
    session = house.session()["id"]

    done = house.manage("join", session, "--name", "Ana", "--json", given="Is anyone there?\n")

    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert [one["event"] for one in frames][:2] == ["user_joined", "welcome"]
    assert {"ack", "message_received", "spirit_response"} <= {one["event"] for one in frames}


def test_more_lines_than_the_server_takes_at_once_all_arrive_once(house: House) -> None:
    session = house.session(mode="off")["id"]
    lines = [f"line {number}" for number in range(8)]

    done = house.manage("join", session, given="\n".join(lines))

    assert done.returncode == 0, done.stderr
    assert [one["text"] for one in house.history(session)] == lines


def test_two_people_see_each_other(house: House) -> None:
    session = house.session(mode="off")["id"]
    url = f"http://127.0.0.1:{house.port}/api/sessions/{session}"
    with house.sitting(url, "--name", "Ben") as ben:
        read_until(ben, "Ben sits")

        done = house.manage("join", session, "--name", "Ana", given="Hello\n")
        seen = read_until(ben, "Ana left")
        say(ben, "/quit")

        assert "with Ben" in done.stdout
        assert "* Ana comes in\n" in seen
        assert "Ana: Hello\n" in seen
        assert ben.wait(20) == 0


@pytest.mark.long
def test_the_host_ends_the_session_for_everybody(house: House) -> None:
    made = house.session(mode="off")
    session = made["id"]
    with house.sitting(session, "--name", "Ben") as ben:
        read_until(ben, "Ben sits")

        refused = house.manage("join", session, given="/end\n")
        done = house.manage("join", session, "--token", made["host_token"], given="/end\n")
        seen = read_until(ben, "ended")

        assert "! You may not do this." in refused.stdout
        assert "* The séance has ended." in done.stdout
        assert "* The séance has ended." in seen
        assert (done.returncode, ben.wait(20)) == (0, 0)


@pytest.mark.long
def test_an_operator_ends_a_session_and_the_room_hears_of_it(house: House) -> None:
    session = house.session()["id"]
    with house.sitting(session) as somebody:
        read_until(somebody, "sits")

        done = house.manage("end_session", session)

        assert done.returncode == 0
        assert "The séance has ended." in read_until(somebody, "ended")
        assert somebody.wait(20) == 0


@pytest.mark.long
def test_an_observer_watches_and_is_told_that_it_cannot_speak(house: House) -> None:
    session = house.session()["id"]

    done = house.manage("join", session, "--observer", given="Hello\n")

    assert "! Not sent: An observer reads and does not speak." in done.stdout
    assert house.history(session) == []


def test_a_server_that_comes_back_finds_the_client_where_it_was(tmp_path: Path, databases: Databases) -> None:
    port = free_port()
    house = House(migrated(databases, tmp_path, DRAIN_SECONDS="1"), port)
    with serving(env=house.env, port=port) as server:
        session = house.session(mode="off")["id"]
        ana = house.sitting(session, "--name", "Ana")
        read_until(ana, "Ana sits")
        say(ana, "before")
        read_until(ana, "Ana: before")
        assert stop(server)[0] == 0
    say(ana, "while nobody listens")
    with serving(env=house.env, port=port):
        seen = read_until(ana, "Ana: while nobody listens", seconds=40)
        say(ana, "/quit")

        assert ana.wait(20) == 0
        assert "coming back in" in seen
        assert seen.count("connected again") == 1
        assert [one["text"] for one in house.history(session)] == ["before", "while nobody listens"]
    ana.communicate()


@pytest.mark.long
def test_whoever_is_refused_gets_one_line_and_exit_code_1(house: House) -> None:
    ended = house.session()["id"]
    house.manage("end_session", ended)
    closed = house.session(access="members")["id"]
    nobody = "01a203e1-c6ce-70ff-b0e5-3280a45dd154"
    calls = {
        (ended,): "Refused: The session has ended.\n",
        (nobody,): "Refused: There is no such session.\n",
        (closed,): "Refused: A valid access token is needed.\n",
        (closed, "--token", "a.b.c"): "Refused: The access token is not valid.\n",
        ("nonsense",): "Refused: Neither a session's id nor a URL with one.\n",
        (nobody, "--url", "x"): "Refused: url: A server's URL looks like ws://host:port.\n",
    }

    processes = {call: house.sitting(*call) for call in calls}
    said = {call: process.communicate("Hello\n", timeout=60)[1] for call, process in processes.items()}

    assert said == calls
    assert {process.returncode for process in processes.values()} == {1}


@pytest.mark.long
def test_where_nobody_listens_it_ends_with_one_line(env: dict[str, str]) -> None:
    house = House(env, free_port())

    done = house.manage("join", "01a203e1-c6ce-70ff-b0e5-3280a45dd154", given="Hello\n")

    assert done.returncode == 1
    assert re.fullmatch(r"Refused: no connection to ws://\S+ \(ConnectionRefusedError\)\n", done.stderr)


def test_a_wrong_call_is_exit_code_2_and_a_missing_table_one_line(env: dict[str, str], tmp_path: Path) -> None:
    house, empty = House(env, 1), House(environment(tmp_path), 1)

    wrong = [house.manage("create_session"), house.manage("join"), house.manage("issue_token")]
    unmigrated = empty.manage("list_sessions")

    assert [done.returncode for done in wrong] == [2, 2, 2]
    assert unmigrated.returncode == 1
    assert unmigrated.stderr == "Refused: The database lacks its tables: run `python manage.py migrate` first.\n"


def test_ctrl_c_leaves_the_table(house: House) -> None:
    session = house.session()["id"]
    with house.sitting(session) as somebody:
        read_until(somebody, "sits")

        somebody.send_signal(signal.SIGINT)

        assert somebody.wait(20) == 0


def test_in_a_terminal_keys_are_told_and_letters_come_one_by_one(house: House) -> None:
    session = house.session(pace="brisk")["id"]
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "manage.py", "join", session, "--name", "Ben"], house.env)  # noqa: S606
    with house.sitting(session, "--name", "Ana") as ana:
        read_until(ana, "Ana sits")
        read_terminal(terminal, "Ana comes in|with Ana")

        os.write(terminal, "Hé".encode())
        typing = read_until(ana, "Ben typing")
        os.write(terminal, b"llo?\r")
        shown = read_terminal(terminal, "The spirit: ")
        os.write(terminal, b"/quit\r")
        read_until(ana, "Ben left")
        say(ana, "/quit")
        ana.wait(20)
    status = os.waitpid(child, 0)[1]  # before the terminal goes away, which would be a signal
    os.close(terminal)

    assert "(Ben typing…)" in typing
    assert "Ben: Héllo?" in shown
    assert len(re.findall("✦ ", shown)) > 3
    assert os.waitstatus_to_exitcode(status) == 0


def read_terminal(terminal: int, pattern: str, seconds: float = 30) -> str:
    data, deadline = b"", time.monotonic() + seconds
    while not re.search(pattern, data.decode(errors="replace")):
        assert time.monotonic() < deadline, data
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            data += os.read(terminal, 65_536)
    return data.decode()
