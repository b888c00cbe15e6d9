"""Tests of the documentation: the tables in docs/ that are made from the code.

A table stands between `<!-- table: name -->` and `<!-- end -->`. `python -m tests.docs.tables` writes them all anew;
`make test` fails where one is out of date.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import django
import msgspec
from django.core.management import load_command_class
from msgspec import Struct
from prometheus_client.metrics import MetricWrapperBase

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = (ROOT / "docs" / "protocol.md", ROOT / "docs" / "operations.md")
MARKED = re.compile(r"(<!-- table: (?P<name>[a-z-]+) -->\n)(?P<body>.*?)(<!-- end -->)", re.DOTALL)
COMMANDS = ("sessions_app", "seance_project")
OF_DAPHNE = "Serve with daphne, and reload on edits: for development."


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; a pipe in a cell is escaped."""
    lines = [columns, ["---"] * len(columns), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def settings() -> str:
    """Every environment variable."""
    from seance_project.env import Env, allowed, meta
    from seance_project.env_example import shown

    def default(value: Any) -> str:
        text = shown(value).strip('"')
        return f"`{text}`" if text else "unset"

    fields = msgspec.structs.fields(Env)
    return table(
        ("Variable", "Default", "May be", "Meaning"),
        ((f"`{one.name.upper()}`", default(one.default), allowed(one), meta(one).description) for one in fields),
    )


def metrics() -> str:
    """Every metric of `realtime.metrics`."""
    from realtime import metrics as module

    found = sorted((one for one in vars(module).values() if isinstance(one, MetricWrapperBase)), key=metric_name)
    return table(
        ("Metric", "Kind", "Labels", "Meaning"),
        (
            (f"`{metric_name(one)}`", one._type, ", ".join(f"`{name}`" for name in one._labelnames), one._documentation)
            for one in found
        ),
    )


def metric_name(metric: MetricWrapperBase) -> str:
    """The name under which it is exposed."""
    return f"{metric._name}_total" if metric._type == "counter" else metric._name


def errors() -> str:
    """Every error code."""
    from sessions_app.errors import CODES

    rows = ((f"`{code}`", row.status, "yes" if row.retryable else "no", row.message) for code, row in CODES.items())
    return table(("Code", "HTTP status", "Retryable", "Default message"), rows)


def closes() -> str:
    """Every close code."""
    from realtime.asyncapi_words import CLOSE_CODES

    return table(
        ("Code", "Come back", "Means"),
        (
            (
                f"`{code}`",
                "yes" if row.comes_back else "no",
                row.meaning,
            )
            for code, row in CLOSE_CODES.items()
        ),
    )


def client_events() -> str:
    """What clients send."""
    from realtime.asyncapi_words import CLIENT_WORDS
    from realtime.protocol import CLIENT_EVENTS

    return _events(CLIENT_EVENTS, CLIENT_WORDS)


def durable_events() -> str:
    """The entries of the log."""
    from sessions_app.events import DURABLE

    return _server_events(DURABLE)


def state_events() -> str:
    """What is told to all, and not kept."""
    from sessions_app.events import STATE

    return _server_events(STATE)


def answer_events() -> str:
    """What is told to one."""
    from sessions_app.events import ANSWERS

    return _server_events(ANSWERS)


def _server_events(kinds: Mapping[str, type[Struct]]) -> str:
    from realtime.asyncapi_words import SERVER_WORDS

    return _events(kinds, SERVER_WORDS)


def _events(kinds: Mapping[str, type[Struct]], words: Mapping[str, str]) -> str:
    def data(kind: type[Struct]) -> str:
        names = [one.encode_name if one.required else f"{one.encode_name}?" for one in msgspec.structs.fields(kind)]
        return f"`{{{', '.join(names)}}}`"

    rows = ((f"`{event}`", data(kind), words.get(event) or kind.__doc__ or "") for event, kind in kinds.items())
    return table(("Event", "Data", "Meaning"), rows)


def limits() -> str:
    """What is counted over all processes."""
    from sessions_app.limits import TABLE

    rows = (
        (f"`{name}`", row.rates.replace("{", "").replace("}", ""), row.scope, row.what) for name, row in TABLE.items()
    )
    return table(("Name", "Rates", "Counted for", "What"), rows)


def commands() -> str:
    """Our management commands."""
    rows = []
    for app in COMMANDS:
        for name in command_names(app):
            about = (
                load_command_class(app, name).help if name != "runserver" else "Serve with daphne and reload on edits."
            )
            rows.append((f"`{name}`", about.partition(" Commands:")[0]))
    return table(("Command", "Does"), sorted(rows))


def command_names(app: str) -> list[str]:
    """The commands of one app."""
    folder = Path(str(import_module(f"{app}.management.commands").__path__[0]))
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "metrics": metrics,
    "errors": errors,
    "closes": closes,
    "client-events": client_events,
    "durable-events": durable_events,
    "state-events": state_events,
    "answer-events": answer_events,
    "commands": commands,
    "limits": limits,
}


def render(text: str) -> str:
    """A page with its tables made anew."""
    return MARKED.sub(lambda found: f"{found[1]}{TABLES[found['name']]()}\n{found[4]}", text)


def main() -> int:
    """Write them all."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "seance_project.settings")
    django.setup()
    for page in PAGES:
        page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")
        sys.stdout.write(f"{page.relative_to(ROOT)} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
