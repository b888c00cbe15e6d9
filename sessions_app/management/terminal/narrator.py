"""sessions_app, the terminal client: happenings in words. An answer waits until the planchette has spelt its line."""

from collections.abc import Iterable

from sessions_app.management.output import harmless
from sessions_app.management.terminal import happenings
from sessions_app.management.terminal.happenings import Answered, Happening, Said
from sessions_app.management.terminal.planchette import Planchette
from sessions_app.management.terminal.view import View

LEFT = {"left": "left", "timeout": "did not come back", "kicked": "was sent away", "session_ended": "left"}


# How long an answer waits for the planchette's first move, once the board is free.
PATIENCE_SECONDS = 1.0


class Narrator:
    """Writes what happens to a view, and the planchette's letters at their time."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.planchette = Planchette()
        self._held: dict[str, Answered] = {}  # the planchette spells their lines
        self._early: dict[str, tuple[Answered, float]] = {}  # it will, when the board is free; and until when we wait
        self._seen: set[str] = set()
        self._told: set[str] = set()
        self._spelling: str | None = None
        self._typing = self._thinking = ""

    def tell(self, happenings: Iterable[Happening], now: float) -> None:
        """Write each of these."""
        for one in happenings:
            self._tell(one, now)
        self.tick(now)

    def tick(self, now: float) -> None:
        """Write the letters that were reached, and the answers whose line is complete."""
        for turn_id, glyph in self.planchette.letters(now):
            if self._spelling != turn_id:
                self.view.spelled()
                self._spelling = turn_id
            if glyph:
                self.view.letter(harmless(glyph))
        finished = [key for key in self._held if self.planchette.is_at_rest(key)]
        for turn_id in finished:
            self._finish(turn_id)
        is_free = not finished and self.planchette.due() is None
        for turn_id, (answer, until) in list(self._early.items()):
            self._await_planchette(turn_id, answer, until if is_free else now + PATIENCE_SECONDS, now)

    @property
    def is_busy(self) -> bool:
        """Whether an answer has come that is not shown yet."""
        return bool(self._held or self._early)

    def due(self) -> float | None:
        """When `tick` has something to do."""
        times = [until for _, until in self._early.values()]
        return min((at for at in (self.planchette.due(), *times) if at is not None), default=None)

    def flush(self) -> None:
        """Nothing more will come: show what was held."""
        for turn_id in list(self._held):
            self._finish(turn_id)
        self.view.spelled()
        for turn_id in list(self._early):
            self._say(self._early.pop(turn_id)[0])
        self.view.hint("")

    def _await_planchette(self, turn_id: str, answer: Answered, until: float, now: float) -> None:
        """The moves of an answer begin when those of the one before have ended."""
        if self.planchette.complete(turn_id, answer.moves):
            self._held[turn_id] = answer
        elif now >= until:
            self._told.add(turn_id)
            self._say(answer)
        else:
            self._early[turn_id] = (answer, until)
            return
        del self._early[turn_id]

    def _finish(self, turn_id: str) -> None:
        answer = self._held.pop(turn_id)
        if self._spelling == turn_id:
            self.view.spelled()
            self._spelling = None
        self.planchette.forget(turn_id)
        self._say(answer, with_board=False)

    def _tell(self, one: Happening, now: float) -> None:
        match one:
            case happenings.Welcomed():
                self._welcome(one)
            case Said():
                self._say(one)
            case Answered():
                self._hint(thinking="")
                if one.turn_id in self._seen and one.moves:
                    self._early[one.turn_id] = (one, now + PATIENCE_SECONDS)
                else:
                    self._say(one)
            case happenings.Came(name, role):
                self.view.line(f"* {harmless(name)} comes{' to watch' if role == 'observer' else ' in'}", "dim")
            case happenings.Left(name, reason):
                self.view.line(f"* {harmless(name)} {LEFT.get(reason, 'left')}", "dim")
            case happenings.Typing(names):
                self._hint(typing=f"{', '.join(map(harmless, names))} typing…" if names else "")
            case happenings.Thinking(turn_id, asker):
                self._seen.add(turn_id)
                self._hint(thinking=f"the spirit ponders {harmless(asker)}'s question…")
            case happenings.Queued(asker, position):
                self.view.line(f"* {harmless(asker)}'s question waits (place {position})", "dim")
            case happenings.Moved(turn_id, starts_at, moves):
                if turn_id not in self._told:
                    self.planchette.move(turn_id, starts_at, moves)
            case happenings.Unanswered(turn_id, why):
                self.planchette.forget(turn_id)
                self._hint(thinking="")
                self.view.line(f"* no answer: {harmless(why)}", "dim")
            case happenings.Told(text, serious):
                self.view.line(f"{'!' if serious else '*'} {harmless(text)}", "warning" if serious else "dim")
            case happenings.Ended():
                self.view.line("* The séance has ended.", "dim")
            case happenings.Acked() | happenings.Missed():
                pass

    def _welcome(self, one: happenings.Welcomed) -> None:
        if one.again:
            self.view.line("* connected again", "dim")
            return
        for message in one.recent:
            self._say(message)
        others = f"with {', '.join(map(harmless, one.others))}" if one.others else "alone"
        self.view.line(f"* {harmless(one.me)} sits in “{harmless(one.session)}”, {others}", "dim")

    def _say(self, one: Said | Answered, *, with_board: bool = True) -> None:
        if isinstance(one, Answered):
            if with_board and one.board:
                self.view.line(f"  ✦ {harmless(one.board)}", "spirit")
            self.view.line(f"The spirit: {harmless(one.text)}", "spirit")
            return
        note = " (off the record)" if one.off_record else ""
        # Further lines are indented, so that nobody's text can look like a line of somebody else.
        text = "\n    ".join(harmless(line) for line in one.text.split("\n"))
        self.view.line(f"{harmless(one.name)}{note}: {text}", "name" if one.mine else "")

    def _hint(self, *, typing: str | None = None, thinking: str | None = None) -> None:
        self._typing = self._typing if typing is None else typing
        self._thinking = self._thinking if thinking is None else thinking
        self.view.hint(" · ".join(part for part in (self._thinking, self._typing) if part))
