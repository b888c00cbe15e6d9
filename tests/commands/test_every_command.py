"""Tests of every command of the project: it explains itself, prints JSON, and ends with the right exit code."""

from __future__ import annotations

import io
import json
from argparse import SUPPRESS, ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, load_command_class

from sessions_app.models import Participant, Session, User
from sessions_app.services.messages import Draft, post_message
from tests.docs.tables import COMMANDS, command_names

APPS = {name: app for app in COMMANDS for name in command_names(app)}
DJANGOS = {action.dest for action in ArgumentParser()._actions} | {
    "version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks",
}  # fmt: skip
NOBODY = "6f1c2a34-0000-4000-8000-000000000001"
SILENT = {"migrate", "serve", "runserver"}  # they print no data

# What each command refuses, and with which exit code: 1 where a rule said no, 2 where it was called wrongly.
REFUSED: dict[str, list[tuple[int, str]]] = {
    "backup": [(1, "/nowhere/at-all.sqlite3"), (2, "")],
    "ban": [(1, NOBODY), (1, "nobody@example.org"), (2, "")],
    "connections": [
        (2, ""), (2, "drop"), (1, f"drop {NOBODY}"), (1, f"list --session {NOBODY}"), (2, "reload --interval -1"),
    ],
    "create_session": [(1, "\u200b"), (2, "Friday --max-users many")],
    "doctor": [(2, "everything")],
    "end_session": [(1, NOBODY), (1, "Friday"), (2, "")],
    "ensure_admin": [(2, "root@example.org")],
    "export_persona": [(1, "nobody"), (2, "the-spirit --format word")],
    "history": [(1, NOBODY), (2, f"{NOBODY} --limit 0")],
    "import_persona": [(1, "/nowhere/at-all.md"), (2, "")],
    "issue_token": [(2, ""), (1, NOBODY), (2, f"{NOBODY} --minutes 0")],
    "join": [(1, "not-a-session"), (2, ""), (2, f"{NOBODY} --linger -1")],
    "list_sessions": [(2, "--limit 0"), (2, "--limit all")],
    "list_users": [(2, "--limit 0"), (2, "--guests --accounts")],
    "loadtest": [(2, "--rooms 0"), (2, "--seconds never"), (1, "--url http://127.0.0.1:1")],
    "migrate": [(1, "nothing"), (2, "--nothing")],
    "publish_persona": [(1, "nobody"), (2, "the-spirit --number first")],
    "purge": [(2, "--yes"), (2, "--older-than 0")],
    "purge_tokens": [(2, "all")],
    "renew_epochs": [(2, "all")],
    "replay_session": [(1, NOBODY), (2, "")],
    "rollup": [(2, "--since yesterday")],
    "runserver": [(1, "nonsense:port")],
    "seed_demo": [(2, "again")],
    "serve": [(1, "--port 99999"), (1, "--workers 0"), (2, "--port high")],
    "show_session": [(1, NOBODY), (2, "")],
    "spirit_exam": [(2, "--sessions 0"), (1, "--persona nobody")],
    "transcript": [(1, NOBODY), (2, f"{NOBODY} --format word")],
    "warm_cache": [(2, "--limit 0"), (2, "all")],
}  # fmt: skip

# With what each prints JSON; the others do so on a running server, or take long: test_join, test_loadtest, test_doctor,
# test_spirit_exam; `backup` in tests/deploy/test_restore.py.
PRINTING = {
    "ban": "ana@example.org",
    "connections": "list",
    "create_session": "Friday",
    "end_session": "{session}",
    "ensure_admin": "",
    "export_persona": "the-spirit",
    "history": "{session}",
    "import_persona": "{file}",
    "issue_token": "ana@example.org",
    "list_sessions": "",
    "list_users": "",
    "publish_persona": "the-spirit",
    "purge": "--older-than 30",
    "purge_tokens": "",
    "renew_epochs": "",
    "replay_session": "{session}",
    "rollup": "",
    "seed_demo": "",
    "show_session": "{session}",
    "transcript": "{session}",
    "warm_cache": "",
}


def called(name: str, *arguments: str) -> tuple[int, str]:
    """The exit code as a shell would see it, and what was printed."""
    out = io.StringIO()
    command: Any = load_command_class(APPS[name], name)
    command._called_from_command_line = True
    try:
        options = vars(command.create_parser("manage.py", name).parse_args(arguments))
        command.execute(*options.pop("args", ()), **options, stdout=out)
    except CommandError as refused:
        return refused.returncode, str(refused)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def parsers(name: str) -> Iterator[ArgumentParser]:
    """The parser of a command, and those of what it does by its first word."""
    found = [load_command_class(APPS[name], name).create_parser("manage.py", name)]
    for one in found:
        found += [
            more for action in one._actions if isinstance(action, _SubParsersAction) for more in action.choices.values()
        ]
    yield from found


def test_the_tables_name_every_command() -> None:
    assert set(REFUSED) == set(APPS)
    assert set(PRINTING) | SILENT | {"backup", "doctor", "join", "loadtest", "spirit_exam"} == set(APPS)


@pytest.mark.parametrize("name", sorted(APPS))
def test_its_help_says_what_it_does_and_what_each_argument_means(name: str) -> None:
    for parser in parsers(name):
        silent = [
            one.dest for one in parser._actions if not one.help and one.help != SUPPRESS and one.dest not in DJANGOS
        ]
        assert parser.description
        assert silent == [] or name == "runserver"  # daphne's


@pytest.mark.parametrize("name", sorted(set(APPS) - SILENT))
def test_it_takes_json(name: str) -> None:
    *_, last = parsers(name)

    assert "--json" in last._option_string_actions


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "code", "arguments"), [(name, *one) for name in sorted(REFUSED) for one in REFUSED[name]]
)
def test_what_it_refuses_ends_with_a_code_and_one_line(
    name: str, code: int, arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, said = called(name, *arguments.split(" ") if arguments else ())

    assert found == code
    if code == 1:
        assert said.strip()
        assert "\n" not in said.strip()
    assert "Traceback" not in capsys.readouterr().err


@pytest.fixture
def house(tmp_path: Path) -> dict[str, str]:
    """What the arguments in `PRINTING` mean."""
    account = User.objects.create_user("ana@example.org", None, name="Ana")
    room = Session.objects.create(name="Friday", host=account)
    Participant.objects.create(session=room, user=account, name="Ana")
    post_message(Draft(room.id, account.id, "Is anyone there?"))
    file = tmp_path / "persona.json"
    file.write_text(called("export_persona", "the-spirit")[1], encoding="utf-8")
    return {"session": str(room.id), "file": str(file)}


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(PRINTING))
def test_what_it_prints_as_json_is_json(name: str, house: dict[str, str]) -> None:
    code, said = called(name, *PRINTING[name].format(**house).split(), "--json")

    assert code == 0, said
    assert json.loads(said) is not None
