"""sessions_app, the kitchen: a session as staff take it away: all that was said, deleted or off the record too.

As CSV for spreadsheets, which run what looks like a formula, and as JSON; a piece at a time.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from typing import Any, NamedTuple

import msgspec

from sessions_app.models import Message, Session

CHUNK = 500  # messages in one piece
COLUMNS = {
    "seq": "seq", "timestamp": "timestamp", "id": "id", "user_id": "user_id", "user_name": "user_name",
    "is_spirit": "is_spirit", "text": "text", "in_reply_to": "in_reply_to_id", "client_msg_id": "client_msg_id",
    "off_record": "off_record", "deleted_at": "deleted_at", "source": "answer__source",
    "degraded": "answer__degraded", "turn_id": "answer__turn_id",
}  # fmt: skip
# Where a cell begins, and a formula in it. Not only at the beginning of the value: where the comma is the decimal mark,
# spreadsheets part cells at semicolons, and what the quotes are then for is anybody's guess.
_FORMULA = re.compile(r'(^|[;\t\r\n])(?=[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20])|^(?=[\t\r\n])')
_encode = msgspec.json.Encoder().encode
_people = ("id", "user_id", "name", "role", "joined_at", "left_at", "is_muted", "kicked_at")


def cell(value: object) -> str:
    """A value as a cell that a spreadsheet takes for text: what could begin a formula stands behind an apostrophe."""
    text = "" if value is None else str(value)
    return _FORMULA.sub(r"\1'", text) if isinstance(value, str) else text


def _rows(session: Session) -> Iterator[list[tuple[Any, ...]]]:
    """The messages in the order of the log, a chunk at a time, up to where it ended when the export began."""
    rows, cursor = Message.objects.filter(session=session, seq__lte=session.last_seq).order_by("seq"), 0
    while found := list(rows.filter(seq__gt=cursor).values_list(*COLUMNS.values())[:CHUNK]):
        yield found
        cursor = found[-1][0]


def as_csv(session: Session) -> Iterator[str]:
    """The byte order mark tells a spreadsheet that it is UTF-8."""

    def lines(rows: Any) -> str:
        target = StringIO(newline="")
        csv.writer(target).writerows([cell(_plain(value)) for value in row] for row in rows)
        return target.getvalue()

    yield "\ufeff" + lines([list(COLUMNS)])
    for rows in _rows(session):
        yield lines(rows)


def _plain(value: object) -> object:
    """A time as RFC 3339 has it."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def as_json(session: Session) -> Iterator[str]:
    """`{session, people, messages}`."""
    fields = {field.attname: getattr(session, field.attname) for field in session._meta.concrete_fields}
    people = [dict(zip(_people, row, strict=True)) for row in session.participants.order_by("id").values_list(*_people)]
    head = _encode({"session": fields, "people": people}).decode()
    yield f'{head.removesuffix("}")},"messages":['
    between = ""
    for rows in _rows(session):
        texts = [_encode(dict(zip(COLUMNS, row, strict=True))).decode() for row in rows]
        yield between + ",\n".join(texts)
        between = ",\n"
    yield "]}\n"


class Form(NamedTuple):
    """A kind of file."""

    media_type: str
    pieces: Callable[[Session], Iterator[str]]


FORMS: Mapping[str, Form] = {"csv": Form("text/csv", as_csv), "json": Form("application/json", as_json)}
