"""sessions_app, commands: `manage.py history`."""

from argparse import ArgumentParser
from typing import Any

from sessions_app import events
from sessions_app.management.base import SeanceCommand, whole_number
from sessions_app.management.operator import operator, session_id
from sessions_app.services.sessions import get_session_history

COLUMNS = ("seq", "time", "who", "text")


class Command(SeanceCommand):
    """Shows what was said in a session, in its order; a spirit's answer with the line that the planchette spelt."""

    help = "Show what was said in a session: the latest messages, or with --after-seq those after it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="the session's id")
        parser.add_argument(
            "--after-seq", type=whole_number(0, 2**63 - 1), metavar="SEQ", help="only what came after it"
        )
        parser.add_argument(
            "--limit", type=whole_number(1, 10_000), default=50, metavar="N", help="at most this many (default 50)"
        )
        self.add_json(parser)

    def handle(self, *_: Any, id: str, after_seq: int | None, limit: int, as_json: bool, **__: Any) -> None:  # noqa: A002
        found, has_more, row = get_session_history(
            actor=operator(), session_id=session_id(id), limit=limit, after_seq=after_seq
        )
        if as_json:
            meta = {"has_more": has_more, "last_seq": row.last_seq, "epoch": row.epoch}
            self.show_json({"messages": found, "meta": meta})
            return
        self.show_table(
            COLUMNS, [(one.seq, f"{one.timestamp:%Y-%m-%d %H:%M:%S}", who(one), said(one)) for one in found]
        )


def who(message: events.MessageData) -> str:
    """The speaker's name at that moment."""
    return "the spirit" if message.is_spirit else message.user_name or ""


def said(message: events.MessageData) -> str:
    """The text; an answer with what the board spelt in front, a remark with a note that it was off the record."""
    if isinstance(message, events.AnswerData) and message.board_script.get("text"):
        return f"[{message.board_script['text']}] {message.text}"
    return f"{message.text} (off the record)" if message.off_record else message.text
