"""Tests of the commands that read a session: what it is, and all that was said in it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sessions_app.management.base import Refused
from sessions_app.models import Message, Participant, Session, User
from sessions_app.services.messages import Draft, delete_message, post_message
from tests.commands.test_commands import run, run_json
from tests.harness.plugin import MakeStack
from tests.harness.processes import ROOT, clean_environment

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> User:
    return User.objects.create_user("ana@example.org", None, name="Ana")


@pytest.fixture
def session(account: User) -> Session:
    row = Session.objects.create(name="Friday", host=account, access="invite", spirit_mode="off")
    Participant.objects.create(session=row, user=account, name="Ana", role="host")
    return row


def test_a_session_is_shown_with_its_people_and_what_it_holds(session: Session, account: User) -> None:
    post_message(Draft(session.id, account.id, "One"))
    post_message(Draft(session.id, account.id, "Two"))
    delete_message(actor=account, session_id=session.id, message_id=Message.objects.get(text="Two").id)

    told = run_json("show_session", str(session.id))
    lines = [line.split(maxsplit=1) for line in run("show_session", str(session.id)).splitlines()]

    assert told["session"]["name"] == "Friday"
    assert [one["user_id"] for one in told["participants"]] == [str(account.id)]
    assert told["holds"] == {"sockets": 0, "messages": 1, "deleted": 1, "events": 1, "turns": {}}
    assert ["seats", "1/6"] in lines
    assert ["log", "3 entries: 1 messages, 1 deleted ones, 1 others"] in lines
    assert lines[-1][1].startswith("Ana   host")


@pytest.mark.parametrize("command", ["show_session", "transcript"])
def test_an_unknown_session_is_refused(command: str) -> None:
    with pytest.raises(Refused, match=r"^There is no such session\.$"):
        run(command, "nonsense")


def test_a_transcript_is_the_file_that_rest_offers(session: Session, account: User) -> None:
    post_message(Draft(session.id, account.id, "One\nmore line"))
    post_message(Draft(session.id, account.id, "Not this", off_record=True))

    text = run("transcript", str(session.id))
    found = json.loads(run("transcript", str(session.id), "--json"))

    assert text.splitlines()[0] == "Friday"
    assert text.splitlines()[-2:] == [text.splitlines()[-2], "    more line"]
    assert text.splitlines()[-2].endswith("] Ana: One")
    assert [one["text"] for one in found["messages"]] == ["One\nmore line"]
    assert run("transcript", str(session.id), "--format", "md").startswith("# Friday\n")


def test_a_terminal_is_given_nothing_that_it_obeys(
    session: Session, account: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    Message.objects.create(session=session, seq=1, user=account, user_name="Ana", text="left\u202eright")
    Session.objects.update(last_seq=1)
    monkeypatch.setattr("django.core.management.base.OutputWrapper.isatty", lambda _: True)

    text = run("transcript", str(session.id))

    assert text.endswith("Ana: left\ufffdright\n")


@pytest.mark.long
@pytest.mark.processes
def test_a_transcript_of_a_hundred_thousand_messages_takes_no_more_memory_than_a_short_one(
    make_stack: MakeStack,
) -> None:
    stack = make_stack(own_redis=False)
    short, long = "6f1c2a34000040008000000000000001", "6f1c2a34000040008000000000000002"
    env = clean_environment(
        DJANGO_SETTINGS_MODULE="seance_project.settings",
        DATABASE_URL=stack.database_url,
        VAR_DIR=str(stack.work),
        LOG_LEVEL="WARNING",
    )
    fill = (
        "from uuid import UUID; from sessions_app.models import *; from uuid_utils.compat import uuid7\n"
        f"for key, count in (('{short}', 100), ('{long}', 100_000)):\n"
        "    row = Session.objects.create(id=UUID(key), name='Friday', last_seq=count, spirit_mode='off')\n"
        "    for start in range(0, count, 5000):\n"
        "        Message.objects.bulk_create(Message(session=row, seq=n + 1, user_name='Ana', text='x' * 200)\n"
        "            for n in range(start, min(count, start + 5000)))\n"
    )
    subprocess.run([sys.executable, "manage.py", "shell", "-v0", "-c", fill], cwd=ROOT, env=env, check=True)

    peaks, lines = zip(*(_written(session, env) for session in (short, long)), strict=True)

    has_read_enough = _cut_off(long, env)

    print(f"\ntranscript of 100 and of 100,000 messages: {peaks[0]} and {peaks[1]} KiB at the peak")
    assert lines == (103, 100_003)
    assert peaks[1] - peaks[0] < 8 * 1024
    assert has_read_enough == (0, "")


# What a process inherits of its parent's peak is not its own: so the kernel's figure for its own memory.
MEASURED = """
import sys
from pathlib import Path
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
sys.stderr.write(next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM")))
"""


def _written(session: str, env: dict[str, str]) -> tuple[int, int]:
    """The peak of resident memory in KiB, and how many lines came."""
    command = [sys.executable, "-c", MEASURED, "transcript", session]
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = sum(1 for _ in process.stdout)
        said = process.stderr.read().decode()
    assert process.returncode == 0, said
    return int(said.split()[1]), lines


def _cut_off(session: str, env: dict[str, str]) -> tuple[int, str]:
    """How it ends where the reader goes after a line, as `head` does; and what it complains of."""
    command = [sys.executable, "manage.py", "transcript", session]
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    return process.returncode, said
