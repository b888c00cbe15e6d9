"""sessions_app, the kitchen: how a transcript reads, as text, Markdown, JSON or HTML, in pieces of bounded size.

A form is three functions that return pieces of text: what stands before the messages, one message, what stands after.
What people typed is data in every one of them: it can neither forge a line nor become markup.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from django.utils.html import escape

from sessions_app import events
from sessions_app.selectors.history import messages

CHUNK = 200
SPIRIT = "The spirit"
# Whoever reads it later was not there to be told.
STATEMENT = "The spirit is no person: a program, a rule engine or a language model, makes its answers."
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&:@=$^])")
_encode = msgspec.json.Encoder().encode


class Form(NamedTuple):
    """A file format: its extension's media type, and how it is written. `separator` stands between two messages."""

    media_type: str
    head: Callable[[events.SessionData], str]
    line: Callable[[events.MessageData], str]
    tail: str
    separator: str = ""


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _speaker(message: events.MessageData) -> str:
    """The name on one line, whatever line breaks Unicode has."""
    return SPIRIT if message.is_spirit else " ".join((message.user_name or "").split())


def _lines(message: events.MessageData) -> list[str]:
    return message.text.splitlines() or [""]


def _txt_head(session: events.SessionData) -> str:
    name = " ".join(session.name.split())
    return f"{name}\nbegun {_time(session.created_at)}, session {session.id}. {STATEMENT}\n\n"


def _txt_line(message: events.MessageData) -> str:
    # Further lines are indented, so that a text cannot look as if somebody else had spoken next.
    text = "\n    ".join(_lines(message))
    return f"[{_time(message.timestamp)}] {_speaker(message)}: {text}\n"


def _plain(value: str) -> str:
    """Markdown that shows exactly this: every sign that could mean something is escaped, indents included."""
    return _MARKDOWN.sub(r"\\\1", value.strip())


def _md_head(session: events.SessionData) -> str:
    name = _plain(" ".join(session.name.split()))
    return f"# {name}\n\nBegun {_time(session.created_at)}, session `{session.id}`. {STATEMENT}\n\n"


def _md_line(message: events.MessageData) -> str:
    text = "  \n> ".join(_plain(line) for line in _lines(message))
    return f"**{_plain(_speaker(message))}**, {_time(message.timestamp)}\n\n> {text}\n\n"


def _html_head(session: events.SessionData) -> str:
    name = escape(session.name)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{name}</title>\n'
        '<meta name="viewport" content="width=device-width">\n<meta name="color-scheme" content="light dark">\n'
        f"</head>\n<body>\n<h1>{name}</h1>\n"
        f"<p>Begun {_time(session.created_at)}, session {session.id}. {STATEMENT}</p>\n<dl>\n"
    )


def _html_line(message: events.MessageData) -> str:
    text = "<br>".join(escape(line) for line in _lines(message))
    time = f'<time datetime="{message.timestamp.isoformat()}">{_time(message.timestamp)}</time>'
    return f'<dt id="m{message.seq}">{escape(_speaker(message))} {time}</dt>\n<dd>{text}</dd>\n'


def _json_head(session: events.SessionData) -> str:
    return f'{{"session":{_encode(session).decode()},"statement":"{STATEMENT}","messages":['


def _json_line(message: events.MessageData) -> str:
    return _encode(message).decode()


FORMS: Mapping[str, Form] = {
    "txt": Form("text/plain", _txt_head, _txt_line, ""),
    "md": Form("text/markdown", _md_head, _md_line, ""),
    "json": Form("application/json", _json_head, _json_line, "]}\n", ",\n"),
    "html": Form("text/html", _html_head, _html_line, "</dl>\n</body>\n</html>\n"),
}


def pieces(session: events.SessionData, form: Form) -> Iterator[str]:
    """The file, a chunk of messages at a time; what is said after it was begun is left out, and so is what was off the
    record or deleted."""
    text, cursor, is_first, more = form.head(session), 0, True, True
    while more:
        found, more = messages(session.id, limit=CHUNK, after_seq=cursor, before_seq=session.last_seq + 1)
        for message in found:
            cursor = message.seq
            if not message.off_record:
                text += form.line(message) if is_first else form.separator + form.line(message)
                is_first = False
        yield text
        text = ""
    yield form.tail
