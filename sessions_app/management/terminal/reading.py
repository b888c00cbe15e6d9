"""sessions_app, the terminal client: the shapes of the protocol as happenings, where no state is needed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sessions_app.management.terminal.happenings import Answered, Said

Data = Mapping[str, Any]


def message(data: Data, *, my_id: str | None) -> Said | Answered:
    """A `Message`, as history, `welcome` and both message events have it."""
    if data["is_spirit"]:
        script = data.get("board_script") or {}
        moves = tuple(script.get("moves") or ())
        return Answered(data["seq"], data["text"], script.get("text") or "", data.get("turn_id"), moves)
    mine = my_id is not None and data["user_id"] == my_id
    return Said(data["seq"], data["user_name"] or "somebody", data["text"], mine, bool(data.get("off_record")))


def seconds(moment: str) -> float:
    """An RFC 3339 time as seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()


def names(people: Mapping[str, str], my_id: str | None) -> tuple[str, ...]:
    """Everybody else, by name."""
    return tuple(sorted(name for person, name in people.items() if person != my_id))


def safety_text(data: Data) -> str:
    """A `safety_notice` on one line, its links behind it; a link is a text, or an object with a `url`."""
    links = [link if isinstance(link, str) else str(link.get("url", "")) for link in data.get("links") or ()]
    return " ".join([str(data.get("text", "")), *links]).strip()


def refusal_text(data: Data) -> str:
    """An `error` on one line: its sentence, or what is wrong with each field."""
    details = data.get("details") or {}
    fields = [f"{field}: {' '.join(map(str, said))}" for field, said in details.items() if isinstance(said, list)]
    return " ".join(fields) or str(data["message"])
