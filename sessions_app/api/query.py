"""sessions_app/api, the REST door: parameters of the query string, read strictly."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import QueryDict

from sessions_app.errors import Code, SeanceError, invalid

SEQ_MAX = 2**63 - 1
PER_PAGE_MAX = 100
M = TypeVar("M", bound=Model)
_INTEGER = re.compile(r"-?[0-9]{1,19}")  # ASCII only: int() also takes the digits of other scripts
_DAY = re.compile(r"(19[7-9]|2[0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}")
_BOOLEAN = {"true": True, "false": False}


class Query:
    """Reads parameters one by one and remembers what is wrong; `check` raises it all at once."""

    def __init__(self, given: QueryDict | Mapping[str, str]) -> None:
        self.given = given
        self.wrong: dict[str, list[str]] = {}

    def integer(self, name: str, *, least: int = 0, most: int = SEQ_MAX) -> int | None:
        """An integer within its bounds, or None where it was not given."""
        raw = self.given.get(name)
        if raw is None:
            return None
        if not _INTEGER.fullmatch(raw):
            self.wrong[name] = ["A valid integer is required."]
            return None
        value = int(raw)
        if value < least:
            self.wrong[name] = [f"Ensure this value is greater than or equal to {least}."]
        elif value > most:
            self.wrong[name] = [f"Ensure this value is less than or equal to {most}."]
        return value

    def boolean(self, name: str) -> bool | None:
        """`true` or `false`, or None where it was not given."""
        raw = self.given.get(name)
        if raw is None:
            return None
        if raw not in _BOOLEAN:
            self.wrong[name] = ["Must be true or false."]
        return _BOOLEAN.get(raw)

    def day(self, name: str, default: date) -> date:
        """A day as `YYYY-MM-DD`."""
        raw = self.given.get(name)
        if raw is None:
            return default
        try:
            if _DAY.fullmatch(raw):
                return date.fromisoformat(raw)
        except ValueError:
            pass
        self.wrong[name] = ["A day is written YYYY-MM-DD, and not before 1970."]
        return default

    def choice(self, name: str, options: Sequence[str], default: str) -> str:
        """One of the options."""
        value = self.given.get(name, default)
        if value not in options:
            self.wrong[name] = [f"Must be one of {', '.join(options)}."]
        return value

    def check(self) -> None:
        """Raise `VALIDATION_ERROR` for everything that was wrong."""
        if self.wrong:
            raise invalid(**self.wrong)


def page_of(rows: QuerySet[M], page: int, per_page: int) -> tuple[list[M], int]:
    """One page of the rows, and how many there are; raises `NOT_FOUND` past the end. Page 1 of nothing is empty."""
    total = rows.count()
    begin = (page - 1) * per_page
    if page > 1 and begin >= total:
        raise SeanceError(Code.NOT_FOUND, "There is no such page.")
    return list(rows[begin : begin + per_page]) if total else [], total
