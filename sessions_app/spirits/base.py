"""Room: sessions_app/spirits. The vocabulary that every provider, persona and caller shares."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Mapping
from typing import ClassVar, Literal, Protocol, runtime_checkable

import msgspec

Source = Literal["oracle", "llm", "cache"]
Degraded = Literal["provider_down", "timeout", "budget", "filtered"]
Kind = Literal["everyone", "adults"]

MAX_WORDS = 30
MAX_GLYPHS = 24
MAX_CHARS = 500


class Line(msgspec.Struct, frozen=True):
    """One line of the room's log. `name` is the speaker's display name, None for the spirit."""

    seq: int
    name: str | None
    text: str
    is_spirit: bool


class Exchange(msgspec.Struct, frozen=True):
    """One example of how a persona answers: `board` at most 24 glyphs, `voice` at most 30 words."""

    question: str
    board: str
    voice: str


class LoreEntry(msgspec.Struct, frozen=True):
    """A fact that enters the prompt only when one of `keys` (case-insensitive) occurs in the last lines."""

    keys: tuple[str, ...]
    text: str


class Temperament(msgspec.Struct, frozen=True):
    """Dials of 0–100. A host may set the first three; `archaic` and `glitch` belong to the persona."""

    warmth: int = 60
    riddling: int = 60
    menace: int = 20
    archaic: int = 30
    glitch: int = 10


class PersonaLimits(msgspec.Struct, frozen=True):
    """Hard ceilings of one answer; a persona may lower them, the service never goes above 24 and 30."""

    max_glyphs: int = MAX_GLYPHS
    max_words: int = MAX_WORDS


class Persona(msgspec.Struct, frozen=True):
    """One immutable version of a persona. `grammar` is Tracery's JSON: symbol → list of expansions."""

    slug: str
    name: str
    version: int
    locale: str
    voice: str
    refusal: str
    summary: str = ""
    audience: Kind = "everyone"
    theme: str = ""
    greetings: tuple[str, ...] = ()
    farewells: tuple[str, ...] = ()
    examples: tuple[Exchange, ...] = ()
    temperament: Temperament = Temperament()
    lexicon: Mapping[str, tuple[str, ...]] = {}
    grammar: Mapping[str, tuple[str, ...]] = {}
    lore: tuple[LoreEntry, ...] = ()
    limits: PersonaLimits = PersonaLimits()

    def digest(self) -> str:
        """SHA-256 (hex) over the whole content: two personas with one digest answer alike."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


class SpiritRequest(msgspec.Struct, frozen=True):
    """All that a provider may know. `history` is in ascending `seq`, without off-record lines (the caller's duty)
    and without the question itself; `people` are the display names at the table; `attempt` starts at 1."""

    session_id: str
    seed: int
    turn: int
    attempt: int
    question: str
    asker: str
    people: tuple[str, ...]
    history: tuple[Line, ...]
    persona: Persona
    context_seq: int


class BoardLine(msgspec.Struct, frozen=True, tag="board"):
    """What the planchette spells, at most 24 glyphs. Comes first, once."""

    text: str


class VoiceDelta(msgspec.Struct, frozen=True, tag="voice"):
    """A piece of the spoken answer; from `generate_response` always one whole sentence."""

    text: str


class Usage(msgspec.Struct, frozen=True, tag="usage"):
    """What the answer cost. 1 microcent = 1e-8 of the currency unit."""

    prompt_tokens: int
    completion_tokens: int
    cost_microcents: int


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """The last item. `degraded` is None, or why the answer is not what the first provider would have given."""

    source: Source
    degraded: Degraded | None
    provider: str
    model: str


StreamItem = BoardLine | VoiceDelta | Usage | Finish


class ProviderError(Exception):
    """A provider could not answer. `code` is for logs and metrics; `retryable`: another try may succeed; `status` is
    what the server answered, where it did."""

    default_code: ClassVar[str] = "provider_error"
    default_retryable: ClassVar[bool] = False

    def __init__(
        self, message: str = "", *, code: str | None = None, retryable: bool | None = None, status: int | None = None
    ) -> None:
        self.code, self.status = code or self.default_code, status
        self.retryable = self.default_retryable if retryable is None else retryable
        super().__init__(message or self.code)


class Unavailable(ProviderError):
    """No connection, a 5xx, an open breaker."""

    default_code = "unavailable"
    default_retryable = True


class TimedOut(ProviderError):
    """A deadline of ours passed."""

    default_code = "timeout"
    default_retryable = True


class Rejected(ProviderError):
    """The other side will not serve us as we are: 400, 401, 403, 404, 429."""

    default_code = "rejected"


class Refused(ProviderError):
    """The model was reached and declined to answer."""

    default_code = "refused"


class Degenerate(ProviderError):
    """An answer came that is no answer: empty, endless, not in the agreed form."""

    default_code = "degenerate"
    default_retryable = True


@runtime_checkable
class SpiritProvider(Protocol):
    """Something that answers. Contract (tests/spirits/test_provider_contract.py): one `BoardLine` first, then
    any number of `VoiceDelta`, at most one `Usage`, exactly one `Finish` at the end; only `ProviderError`s are
    raised; closing the iterator frees every resource at once."""

    @property
    def name(self) -> str:
        """The registry name, stored with each answer."""

    @property
    def model(self) -> str:
        """The model that it asks; empty where there is none."""

    def stream(self, request: SpiritRequest) -> AsyncGenerator[StreamItem, None]:
        """Answer one question. Raises only `ProviderError`."""

    async def probe(self) -> None:
        """Cheaply find out whether an answer would come now; raises `ProviderError` when not."""

    async def aclose(self) -> None:
        """Free connections. Idempotent."""
