"""sessions_app, the terminal client: what is typed, key by key from a terminal, line by line from a pipe."""

import asyncio
import codecs
import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

CHUNK = 4096


@dataclass(frozen=True)
class Edited:
    """The line being typed is now this."""

    line: str


@dataclass(frozen=True)
class Entered:
    """A line is complete."""

    line: str


@dataclass(frozen=True)
class Closed:
    """Nothing more will be typed."""


@dataclass(frozen=True)
class Interrupted:
    """Ctrl+C, or a signal to stop."""


Key = Edited | Entered | Closed | Interrupted


class LineEditor:
    """Keys in, lines out: Backspace, Ctrl+U (all), Ctrl+W (a word) and Ctrl+D (the end). Other controls do nothing."""

    def __init__(self) -> None:
        self._line = ""
        self._escape = ""

    def feed(self, text: str) -> Iterator[Key]:
        """What these characters did."""
        for one in text:
            if self._escape or one == "\x1b":
                # An arrow or a function key: ESC, [ or O, parameters, a letter.
                self._escape += one
                if len(self._escape) > 1 and one not in "[O" and (one.isalpha() or one == "~"):
                    self._escape = ""
            elif one in "\r\n":
                line, self._line = self._line, ""
                yield Entered(line)
            elif one == "\x04" and not self._line:
                yield Closed()
            else:
                yield from self._edit(one)

    def _edit(self, one: str) -> Iterator[Key]:
        before = self._line
        if one in "\x7f\b":
            self._line = self._line[:-1]
        elif one == "\x15":
            self._line = ""
        elif one == "\x17":
            self._line = self._line.rstrip().rpartition(" ")[0]
        elif one.isprintable():
            self._line += one
        if self._line != before:
            yield Edited(self._line)


class LineSplitter:
    """Text in, lines out: the same for a pipe, where nobody edits."""

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, text: str) -> Iterator[Key]:
        """The lines that are complete."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            yield Entered(line.rstrip("\r"))

    def close(self) -> Iterator[Key]:
        """The last line, though nothing ends it."""
        if self._rest:
            yield Entered(self._rest)
        yield Closed()


def is_live() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def keys(*, live: bool) -> Iterator["asyncio.Queue[Key]"]:
    """A queue of what is typed into standard input; a terminal is set to give single keys meanwhile."""
    queue: asyncio.Queue[Key] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    source = sys.stdin.fileno()
    with _single_keys(source) if live else contextlib.nullcontext():
        # A thread, since a file cannot be waited for; a daemon, since a read from a terminal cannot be ended.
        threading.Thread(target=_read, args=(source, loop, queue, live), daemon=True).start()
        yield queue


def _read(source: int, loop: asyncio.AbstractEventLoop, queue: "asyncio.Queue[Key]", live: bool) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    editor: LineEditor | LineSplitter = LineEditor() if live else LineSplitter()
    with contextlib.suppress(RuntimeError, OSError):  # the loop is closed: nobody listens any more
        while chunk := os.read(source, CHUNK):
            for key in editor.feed(decoder.decode(chunk)):
                loop.call_soon_threadsafe(queue.put_nowait, key)
        for key in editor.close() if isinstance(editor, LineSplitter) else iter((Closed(),)):
            loop.call_soon_threadsafe(queue.put_nowait, key)


@contextlib.contextmanager
def _single_keys(terminal: int) -> Iterator[None]:
    import termios
    import tty

    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
