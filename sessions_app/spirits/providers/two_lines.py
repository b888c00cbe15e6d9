"""Room: sessions_app/spirits/providers. Parses the `BOARD:` / `VOICE:` form while it is still being written."""

from __future__ import annotations

import re

from ..base import BoardLine, Degenerate, VoiceDelta

_LABEL = re.compile(r"[\s*_#>-]*(board|voice)[*_ ]*:[*_ ]*", re.IGNORECASE)
_LONGEST_LABEL = 24
MAX_CHARS = 2_000


class TwoLineParser:
    """Feed it pieces of text; it gives items as soon as they are sure. The board line is released when its line
    ends. Without labels the whole text is voice. Raises `Degenerate` for a text without an end."""

    def __init__(self) -> None:
        self._buffer = ""
        self._board_done = False
        self._in_voice = False
        self._length = 0

    def feed(self, piece: str) -> list[BoardLine | VoiceDelta]:
        self._length += len(piece)
        if self._length > MAX_CHARS:
            raise Degenerate("the model does not stop")
        self._buffer += piece
        return self._drain(final=False)

    def close(self) -> list[BoardLine | VoiceDelta]:
        return self._drain(final=True)

    def _drain(self, *, final: bool) -> list[BoardLine | VoiceDelta]:
        out: list[BoardLine | VoiceDelta] = []
        while self._buffer:
            if self._in_voice:
                out.append(VoiceDelta(self._buffer))
                self._buffer = ""
                break
            label = _LABEL.match(self._buffer)
            if label is None:
                # Too short to tell a label from talk: wait for more.
                if not final and len(self._buffer) < _LONGEST_LABEL:
                    break
                self._in_voice = True
            elif label[1].lower() == "voice":
                self._buffer, self._in_voice = self._buffer[label.end() :], True
            else:
                line, newline, rest = self._buffer[label.end() :].partition("\n")
                if not newline and not final:
                    break
                self._buffer = rest.lstrip() if newline else ""
                if not self._board_done and line.strip():
                    out.append(BoardLine(line.strip()))
                self._board_done = True
        return out
