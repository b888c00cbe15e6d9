"""Room: sessions_app/spirits/providers. The default provider: no network, no weights, and it never fails to answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from ..base import BoardLine, Degenerate, Finish, SpiritRequest, StreamItem, VoiceDelta
from ..oracle.pack import load_pack
from ..oracle.reply import answer
from ..oracle.tracery import GrammarError


class OracleProvider:
    """Answers at once, from rules and a grammar. Raises `Degenerate` only for a persona whose grammar is broken."""

    @property
    def name(self) -> str:
        return "oracle"

    @property
    def model(self) -> str:
        return ""

    async def stream(self, request: SpiritRequest) -> AsyncGenerator[StreamItem, None]:
        persona = request.persona
        try:
            reply = answer(request)
        except GrammarError:
            # An imported grammar may be nonsense; the room still gets an answer, from the pack's own words.
            try:
                reply = answer(_without_grammar(request))
            except GrammarError as error:
                raise Degenerate(f"the pack {persona.locale} cannot answer: {error}") from error
        yield BoardLine(reply.board)
        yield VoiceDelta(reply.voice)
        yield Finish("oracle", None, self.name, f"{persona.slug}@{persona.version}")

    async def probe(self) -> None:
        """Loads the default pack, so that the first sitter does not wait for it."""
        load_pack("en")

    async def aclose(self) -> None:
        return None


def _without_grammar(request: SpiritRequest) -> SpiritRequest:
    from msgspec.structs import replace

    return replace(request, persona=replace(request.persona, grammar={}, greetings=(), farewells=()))
