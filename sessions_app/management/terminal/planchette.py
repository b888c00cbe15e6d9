"""sessions_app, the terminal client: when the planchette stands on which letter."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Script:
    starts_at: float
    marks: dict[int, tuple[float, str]] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)

    def add(self, moves: Iterable[Mapping[str, Any]]) -> None:
        for move in moves:
            # The lens shows its letter when it arrives, not when it sets out.
            arrives = self.starts_at + (move["t_ms"] + move["travel_ms"]) / 1000
            glyph = " " if move["kind"] == "pause" else move["glyph"] or ""
            self.marks[move["i"]] = (arrives, glyph)

    def pending(self) -> list[int]:
        return sorted(self.marks.keys() - self.shown)


class Planchette:
    """Moves in, letters out, each at its time. Times are seconds on the client's clock."""

    def __init__(self) -> None:
        self._scripts: dict[str, _Script] = {}

    def move(self, turn_id: str, starts_at: float, moves: Iterable[Mapping[str, Any]]) -> None:
        """Some moves of a turn; repeated ones change nothing."""
        self._scripts.setdefault(turn_id, _Script(starts_at)).add(moves)

    def complete(self, turn_id: str, moves: Iterable[Mapping[str, Any]]) -> bool:
        """All moves of a turn, so that no lost batch leaves a hole; False where the planchette has not set out."""
        script = self._scripts.get(turn_id)
        if script is None:
            return False
        script.add(moves)
        return True

    def letters(self, now: float) -> list[tuple[str, str]]:
        """(turn, glyph) of every letter that the lens has reached since the last call, in order."""
        found: list[tuple[float, int, str, str]] = []
        for turn_id, script in self._scripts.items():
            for index in script.pending():
                at, glyph = script.marks[index]
                if at <= now:
                    script.shown.add(index)
                    found.append((at, index, turn_id, glyph))
        return [(turn_id, glyph) for _, _, turn_id, glyph in sorted(found)]

    def is_at_rest(self, turn_id: str) -> bool:
        """Whether every known letter of the turn was shown."""
        script = self._scripts.get(turn_id)
        return script is None or not script.pending()

    def forget(self, turn_id: str) -> None:
        """The turn is over."""
        self._scripts.pop(turn_id, None)

    def due(self) -> float | None:
        """When the next letter is reached."""
        times = [script.marks[index][0] for script in self._scripts.values() for index in script.pending()[:1]]
        return min(times, default=None)
