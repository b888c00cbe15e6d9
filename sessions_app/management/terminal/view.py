"""sessions_app, the terminal client: what is written where. A pipe gets lines; a terminal has a prompt, too."""

from typing import Literal, Protocol, TextIO

from rich.cells import cell_len

Style = Literal["", "dim", "name", "spirit", "warning"]
_CODES: dict[str, str] = {"dim": "2", "name": "1", "spirit": "35", "warning": "31"}
PLANCHETTE = "  ✦ "


class View(Protocol):
    """Where a narrator writes. Texts are harmless already."""

    def line(self, text: str, style: Style = "") -> None:
        """A line that stays."""

    def letter(self, glyph: str) -> None:
        """The planchette reached this letter."""

    def spelled(self) -> None:
        """The planchette is done with its line."""

    def hint(self, text: str) -> None:
        """What is so at the moment: who types, that the spirit thinks."""

    def prompt(self, text: str | None) -> None:
        """What is being typed; None where nobody types here."""


class PlainView:
    """Lines, for pipes and files: letters are written as they come, and nothing is ever written over."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._spelling = False
        self._hint = ""

    def line(self, text: str, style: Style = "") -> None:
        self.spelled()
        self._write(f"{text}\n")

    def letter(self, glyph: str) -> None:
        self._write(glyph if self._spelling else PLANCHETTE + glyph)
        self._spelling = True

    def spelled(self) -> None:
        if self._spelling:
            self._spelling = False
            self._write("\n")

    def hint(self, text: str) -> None:
        if text and text != self._hint:
            self.line(f"  ({text})")
        self._hint = text

    def prompt(self, text: str | None) -> None:
        """A pipe has no prompt."""

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class NoView:
    """Nothing, where each frame is written as it came."""

    def line(self, text: str, style: Style = "") -> None: ...

    def letter(self, glyph: str) -> None: ...

    def spelled(self) -> None: ...

    def hint(self, text: str) -> None: ...

    def prompt(self, text: str | None) -> None: ...


class LiveView:
    """A terminal: lines scroll up above a status line and the prompt, which are written over in place."""

    def __init__(self, out: TextIO, *, columns: int, color: bool = True) -> None:
        self._out, self._columns, self._color = out, columns, color
        self._letters = self._hint = ""
        self._prompt: str | None = None
        self._drawn = False

    def line(self, text: str, style: Style = "") -> None:
        self._redraw(self._paint(text, style) + "\n")

    def letter(self, glyph: str) -> None:
        self._letters += glyph
        self._redraw()

    def spelled(self) -> None:
        if self._letters:
            text, self._letters = PLANCHETTE + self._letters.strip(), ""
            self.line(text, "spirit")

    def hint(self, text: str) -> None:
        if text != self._hint:
            self._hint = text
            self._redraw()

    def prompt(self, text: str | None) -> None:
        self._prompt = text
        self._redraw()

    def _redraw(self, lines: str = "") -> None:
        above = "\x1b[1A" if self._drawn else ""
        room = self._columns - len(PLANCHETTE)
        status = self._paint(f"  {fitting(self._hint, room)}", "dim")
        if self._letters:
            status = self._paint(PLANCHETTE + fitting(self._letters, room), "spirit")
        frame = f"\r{above}\x1b[J{lines}"
        if self._prompt is not None:
            frame += f"{status}\n> {fitting(self._prompt, self._columns - 3)}"
        elif self._letters or self._hint:
            frame += f"{status}\n"
        self._drawn = self._prompt is not None or bool(self._letters or self._hint)
        self._out.write(frame)
        self._out.flush()

    def _paint(self, text: str, style: Style) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style and self._color else text


def fitting(text: str, columns: int) -> str:
    """The end of a text that fits into so many columns of a terminal, where some characters are two wide."""
    text = text[-columns:]
    while text and cell_len(text) > columns:
        text = text[1:]
    return text
