"""Tests of the documentation: the words of a page that claim that something exists, and does not.

Each rule is a function from the text of a page to what it names in vain, so that a test can plant such words.
"""

from __future__ import annotations

import re
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from django.core.management import get_commands, load_command_class

from realtime import asyncapi_words
from seance_project.env import Env
from sessions_app.errors import CODES
from tests.docs import tables
from tests.docs.pages import FENCE, ROOT

ROOMS = ("realtime", "seance_project", "sessions_app")
SETTINGS = {name.upper() for name in Env.__struct_fields__}
METRICS = set(re.findall(r'"(seance_\w+)"', (ROOT / "realtime" / "metrics.py").read_text(encoding="utf-8")))
# Words in capitals that are neither a setting nor an error code.
COMPOSE = set(re.findall(r"\$\{(\w+)", (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")))
CAPITALS = COMPOSE | {
    "ENV_FILE",
    "SEANCE_PROCESS_NAME",
    "NEXT_PUBLIC_SEANCE",
    "NEXT_PUBLIC_SEANCE_URL",
    "TCP_USER_TIMEOUT",
    "BENCH_DATABASE_URL",  # of the benchmarks and the faults, which are not served
    "BENCH_REDIS_URL",
    "SEANCE_FAULTS_SEED",
    "SOAK_SECONDS",
}
# Names of other programs.
FOREIGN = {
    "hot_standby_feedback", "max_standby_streaming_delay", "synchronous_standby_names",
    "max_connections", "parentbased_traceidratio", "pg_stat_activity", "post_save", "proxy_read_timeout", "two_people",
    "synchronous_commit", "faults_fast", "wait_event_type",
    "pg_dump", "pg_restore", "pg_basebackup", "pg_verifybackup", "pg_upgrade", "pg_switch_wal", "pg_stat_archiver",
    "messages_pkey", "auto_explain",
    "pg_create_restore_point", "archive_command", "archive_timeout", "failed_count", "recovery_target_name",
}  # fmt: skip
_SET = re.compile(r"^\s*(?:export |- )?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=|: )", re.MULTILINE)
_SCRAPED = re.compile(r"_(bucket|sum|count)$")  # what Prometheus makes of a histogram


def modules() -> Iterator[Path]:
    """Every module of the three rooms."""
    for room in ROOMS:
        yield from (ROOT / room).rglob("*.py")


@cache
def source() -> str:
    """The text of all modules, and of what is configured beside them."""
    shipped = (path for path in (ROOT / "deploy").rglob("*") if path.is_file())
    files = [*modules(), *shipped, ROOT / "Makefile", ROOT / "pyproject.toml"]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def in_backticks(text: str) -> Iterator[str]:
    """What stands in backticks, outside of fenced blocks."""
    yield from re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def settings_and_codes(text: str) -> set[str]:
    """Names in capitals that are neither a setting nor an error code, those that a fenced block sets among them."""
    named = {word for one in in_backticks(text) for word in re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", one)}
    for block in FENCE.finditer(text):
        named |= set(_SET.findall(block["text"]))
    return named - SETTINGS - {str(code) for code in CODES} - CAPITALS


def names(text: str) -> set[str]:
    """Names with an underscore, such as events, fields and functions, that the code does not have."""
    named = {word for one in in_backticks(text) for word in re.findall(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b", one)}
    return {name for name in named - FOREIGN if not name.startswith("test_") and not _is_in_source(name)}


@cache
def _is_in_source(name: str) -> bool:
    return re.search(rf"\b{name}\b", source()) is not None


def metrics(text: str) -> set[str]:
    """Metrics that nothing counts, in prose and in queries."""
    named = set(re.findall(r"\bseance_[a-z_]+\b", text))
    known = METRICS | {"seance_project", "seance_access", "seance_refresh"}  # a room, and two cookies
    return {name for name in named if name not in known and _SCRAPED.sub("", name) not in METRICS}


def close_codes(text: str) -> set[str]:
    """Close codes that are never sent, the table of all of them left out."""
    told = re.sub(r"<!-- table: closes -->.*?<!-- end -->", "", FENCE.sub("", text), flags=re.DOTALL)
    named = set(re.findall(r"(?<![\w.,:-])4[05]\d\d(?![\w,-])", told))
    return named - {"4000", "4499", "4500", "4999"} - {str(code) for code in asyncapi_words.CLOSE_CODES}


def commands(text: str) -> set[str]:
    """Calls of commands that are not there, or have no such option."""
    wrong = {f"manage.py {name}" for name in re.findall(r"manage\.py ([a-z_]+)", text) if name not in get_commands()}
    lines = [line for block in FENCE.finditer(text) for line in block["text"].splitlines()]
    for said in [*in_backticks(text), *lines]:
        name, _, rest = said.strip().removeprefix("python ").removeprefix("manage.py ").partition(" ")
        options = set(re.findall(r"(?<!\S)--[a-z-]+", rest))
        if name in OPTIONS and not options <= OPTIONS[name]:
            wrong.add(said)
        # A name of two words in front of an option is the way our commands are called, and nobody else's.
        elif options and re.fullmatch(r"[a-z]+(_[a-z]+)+", name) and name not in {*get_commands(), *FOREIGN}:
            wrong.add(said)
    return wrong


def _options_of(parser: ArgumentParser) -> set[str]:
    """Every option of a command, those of what it does by its first word among them."""
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            found |= {option for one in action.choices.values() for option in _options_of(one)}
    return found


OPTIONS = {
    name: _options_of(load_command_class(app, name).create_parser("manage.py", name))
    for app in tables.COMMANDS
    for name in tables.command_names(app)
}

RULES: dict[str, Callable[[str], set[str]]] = {
    "settings and codes": settings_and_codes,
    "names": names,
    "metrics": metrics,
    "close codes": close_codes,
    "commands": commands,
}
