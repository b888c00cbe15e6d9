"""Room: sessions_app/spirits/oracle. The words of the sitters, turned round and fit to be said back to them."""

from __future__ import annotations

from ..base import SpiritRequest
from .biography import chance
from .pack import Pack
from .reading import Reading, plain, reflect

MAX_SLOT_WORDS = 6
_MARKS = '.,!?;:"()¿¡…«»'


def _spellings(request: SpiritRequest) -> dict[str, str]:
    """How each word was really written: names keep their capitals, café keeps its accent."""
    found: dict[str, str] = {}
    for sentence in request.question.replace("?", ".").replace("!", ".").split("."):
        for at, raw in enumerate(sentence.split()):
            word = raw.strip(_MARKS)
            # A capital at the start of a sentence says nothing about the word.
            found[plain(word)] = word if at or word.isupper() else word.lower()
    for name in (*request.people, request.asker):
        found[plain(name)] = name
    return found


def said_back(words: str, request: SpiritRequest, pack: Pack) -> str:
    """`words` from the sitter's side to ours; empty where that would not make good speech."""
    spelling = _spellings(request)
    turned = reflect(words.replace("?", "").strip(), pack)
    tokens = turned.split()
    if not tokens or len(tokens) > MAX_SLOT_WORDS or "I" in tokens or tokens[-1] in pack.words.articles:
        return ""
    spoken = words.replace("?", "").split()
    return " ".join(
        spelling.get(token, token) if token == said else token for said, token in zip(spoken, tokens, strict=True)
    )


def person_in(reading: Reading, request: SpiritRequest, pack: Pack) -> str:
    """The one person whom the question is about, as the spirit would call them; empty if that is not sure."""
    words = reading.slots.get("x", "").replace("?", "").strip()
    if not words:
        return ""
    for name in request.people:
        if plain(name) == words:
            return "you" if name == request.asker else name
    if words in pack.words.swap_subject:
        return pack.words.swap_subject[words]
    tokens = words.split()
    kin = set(pack.words.macros["kin"].split("|")) | set(pack.words.macros.get("friends", "").split("|"))
    if len(tokens) == 2 and tokens[-1] in kin and tokens[0] in pack.words.articles:
        return said_back(words, request, pack)
    written = _spellings(request).get(words, words)
    return written if len(tokens) == 1 and written[:1].isupper() and not words.endswith("s") else ""


def either_slots(reading: Reading, request: SpiritRequest, pack: Pack) -> dict[str, str]:
    """`pick` and `unpick`; always the same pick for the same two, in whatever order they were named."""
    a, b = (said_back(reading.slots.get(key, ""), request, pack) for key in "ab")
    if not a or not b or plain(a) == plain(b):
        return {}
    first, second = sorted((a, b), key=plain)
    pick = first if chance(request.seed, request.persona.slug, "either", plain(first), plain(second)) < 0.5 else second
    return {"pick": pick, "unpick": second if pick == first else first}


def table_slots(request: SpiritRequest, reading: Reading, counts: tuple[str, ...]) -> dict[str, str]:
    """Who sits here: `asker`, `other`, `someone` (the same one for the same question), `people`, `count`."""
    people = sorted(dict.fromkeys((*request.people, request.asker)), key=plain)
    others = [name for name in people if name != request.asker]
    slots = {"asker": request.asker, "people": ", ".join(people)}
    slots["count"] = counts[len(people)] if len(people) < len(counts) else str(len(people))
    key = " ".join(sorted(reading.tokens))
    slots["someone"] = people[int(chance(request.seed, "someone", key) * len(people))]
    if others:
        slots["other"] = others[int(chance(request.seed, request.turn, "other") * len(others))]
    return slots


def question_slots(request: SpiritRequest, reading: Reading, pack: Pack) -> dict[str, str]:
    """The rule's own groups, said back; a slot that cannot be said well is left out."""
    slots: dict[str, str] = {}
    for name in ("x", "y", "vp", "given"):
        if name in reading.slots and (words := said_back(reading.slots[name], request, pack)):
            slots[name] = words[:1].upper() + words[1:] if name == "given" else words
    if person := person_in(reading, request, pack):
        slots["person"] = person
    return slots | either_slots(reading, request, pack)
