"""Room: sessions_app/spirits. Personas from elsewhere: Kiro steering files and character cards V2/V3, and back.

What comes in is a draft for a person to read, never published by itself. Nothing is fetched and no file is read.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import msgspec

from .base import Exchange, LoreEntry, Persona
from .speech import board_line, clean, fit_words

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
MAX_VOICE = 6_000
MAX_LINES = 40
MAX_LORE = 100

_SPECS = {"chara_card_v2": "2.0", "chara_card_v3": "3.0"}
_FILE_REFERENCE = re.compile(r"#\[\[file:[^\]]*\]\]")
_IMAGE = re.compile(r"!\[[^\[\]]{0,300}\]\([^()]{0,2000}\)|<img\b[^<>]{0,2000}>", re.IGNORECASE)
_LINK = re.compile(r"\[([^\[\]]{0,300})\]\([^()]{0,2000}\)")
_ADDRESS = re.compile(r"\b(?:https?|data|file):\S+", re.IGNORECASE)
_MACRO = re.compile(r"\{\{\s*(char|user|original)\s*\}\}|<(BOT|USER)>", re.IGNORECASE)
_SECTIONS = {
    "greetings": "greetings", "saludos": "greetings",
    "farewells": "farewells", "despedidas": "farewells",
    "refusal": "refusal", "negativa": "refusal",
    "lore": "lore", "examples": "examples", "ejemplos": "examples",
}  # fmt: skip


class PersonaImportError(ValueError):
    """The file cannot become a persona. `code`: too_large, not_text, not_json, too_deep, unknown_format, no_name."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def _decode(raw: bytes | str) -> str:
    data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    if len(data) > MAX_BYTES:
        raise PersonaImportError("too_large", f"more than {MAX_BYTES // 1024} KiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PersonaImportError("not_text", "not UTF-8") from error


def _prose(text: object, limit: int = MAX_VOICE) -> str:
    """Text with its lines kept, invisible and control characters taken out, cut at `limit` characters."""
    if not isinstance(text, str):
        return ""
    text = _bare(text)
    kept = (c for c in unicodedata.normalize("NFC", text) if c == "\n" or unicodedata.category(c)[0] != "C")
    return re.sub(r"\n{3,}", "\n\n", "".join(kept)).strip()[:limit]


def _bare(text: str) -> str:
    """Without images, which are neither shown nor fetched, and addresses, which no spirit should know: of a link its
    words stay."""
    return _ADDRESS.sub("", _LINK.sub(r"\1", _IMAGE.sub("", text)))


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50] or "imported"


def _said(lines: list[str]) -> tuple[str, ...]:
    spoken = (fit_words(clean(_bare(line))) for line in lines[:MAX_LINES])
    return tuple(dict.fromkeys(line for line in spoken if line))


def _addressed(lines: list[str]) -> tuple[str, ...]:
    """What is said to somebody, whose name stands in the grammar's way."""
    named = [re.sub(r"#asker#|\{\{\s*user\s*\}\}", "the sitter", line) for line in lines]
    return tuple(line.replace("the sitter", "#asker#") for line in _said(named))


def read_persona(raw: bytes | str, *, locale: str = "en") -> Persona:
    """A persona from any of the formats: a character card, the project's own JSON, or else steering Markdown.

    Raises `PersonaImportError`.
    """
    text = _decode(raw).strip()
    if not text.startswith("{"):
        return from_steering(text, locale=locale)
    _check_depth(text)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PersonaImportError("not_json", "not JSON") from error
    if "spec" in found:
        return from_card(text, locale=locale)
    try:
        return msgspec.convert(found, Persona)
    except msgspec.ValidationError as error:
        raise PersonaImportError("unknown_format", str(error)) from error


def from_steering(raw: bytes | str, *, locale: str = "en") -> Persona:
    """A persona from Kiro's steering format: Markdown, with optional front matter (`title`, `name`, `locale`,
    `description`). The first heading is the name, the text its voice; bulleted sections called Greetings, Farewells,
    Refusal, Lore (`key, key: text`) and Examples (`question => answer`) are read as such. References to files
    (`#[[file:…]]`) are dropped. Raises `PersonaImportError`."""
    text = _decode(raw).replace("\r\n", "\n")
    front, body = _front_matter(text)
    heading = re.search(r"^#\s+(.+)$", body, re.MULTILINE)
    name = clean(front.get("name") or front.get("title") or (heading[1] if heading else ""))[:50]
    if not name:
        raise PersonaImportError("no_name", "neither a title nor a heading")
    parts: dict[str, list[str]] = {}
    voice: list[str] = []
    section = ""
    for line in _FILE_REFERENCE.sub("", body).split("\n"):
        if line.startswith("#"):
            section = _SECTIONS.get(line.lstrip("# ").strip().casefold(), "")
            if not section and not (heading and line == heading[0]):
                voice.append(line.lstrip("# "))
        elif section:
            item = line.strip().removeprefix("-").removeprefix("*").strip()
            if item:
                parts.setdefault(section, []).append(item)
        else:
            voice.append(line)
    refusal = _said(parts.get("refusal", []))
    return Persona(
        slug=_slug(name),
        name=name,
        version=1,
        locale=front.get("locale", locale),
        voice=_prose("\n".join(voice)) or name,
        refusal=refusal[0] if refusal else "Not that. Ask me another.",
        summary=clean(front.get("description", ""))[:300],
        greetings=_addressed(parts.get("greetings", [])),
        farewells=_addressed(parts.get("farewells", [])),
        examples=_examples([line.partition("=>")[::2] for line in parts.get("examples", []) if "=>" in line]),
        lore=_lore([line.partition(":")[::2] for line in parts.get("lore", []) if ":" in line]),
    )


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """Front matter read as flat `key: value` lines; anything richer is passed over, never evaluated."""
    match = re.match(r"---\n(.*?)\n---\n?", text, re.DOTALL)
    if match is None:
        return {}, text
    pairs = (line.partition(":") for line in match[1].split("\n") if ":" in line and not line.startswith((" ", "#")))
    return {key.strip().casefold(): value.strip().strip("\"'") for key, _, value in pairs}, text[match.end() :]


def _examples(pairs: list[tuple[str, ...]]) -> tuple[Exchange, ...]:
    made = []
    for question, reply in pairs[:MAX_LINES]:
        voice = fit_words(clean(reply))
        if clean(question) and voice:
            made.append(Exchange(clean(question)[:500], board_line(voice).upper(), voice))
    return tuple(made)


def _lore(pairs: list[tuple[str, ...]]) -> tuple[LoreEntry, ...]:
    entries = []
    for keys, told in pairs[:MAX_LORE]:
        names = tuple(key for key in (clean(part)[:60] for part in keys.split(",")) if key)[:12]
        if names and clean(told):
            entries.append(LoreEntry(names, clean(told)[:600]))
    return tuple(entries)


def _check_depth(text: str) -> None:
    """Refuse deep JSON before a parser recurses into it."""
    depth, inside, escaped = 0, False, False
    for char in text:
        if inside:
            escaped, inside = (char == "\\" and not escaped), not (char == '"' and not escaped)
        elif char == '"':
            inside = True
        elif char in "{[":
            depth += 1
            if depth > MAX_DEPTH:
                raise PersonaImportError("too_deep", f"nested deeper than {MAX_DEPTH}")
        elif char in "}]":
            depth -= 1


def from_card(raw: bytes | str, *, locale: str = "en") -> Persona:
    """A persona from a character card, V2 or V3, as JSON. Macros are filled in; scripts, extensions and post-history
    instructions are left behind. Raises `PersonaImportError`."""
    text = _decode(raw)
    _check_depth(text)
    try:
        card = json.loads(text)
    except ValueError as error:
        raise PersonaImportError("not_json", "not JSON") from error
    data = card.get("data") if isinstance(card, dict) and card.get("spec") in _SPECS else None
    if not isinstance(data, dict):
        raise PersonaImportError("unknown_format", "neither a chara_card_v2 nor a chara_card_v3")
    name = clean(str(data.get("name") or ""))[:50]
    if not name:
        raise PersonaImportError("no_name", "the card has no name")

    def filled(value: object) -> str:
        return _MACRO.sub(lambda m: name if (m[1] or m[2]).lower() in ("char", "bot") else "the sitter", _prose(value))

    told = [filled(data.get(field)) for field in ("system_prompt", "description", "personality", "scenario")]
    others = data.get("alternate_greetings")
    first = [data.get("first_mes"), *(others if isinstance(others, list) else [])]
    book = data.get("character_book")
    entries = book.get("entries") if isinstance(book, dict) else None
    return Persona(
        slug=_slug(name),
        name=name,
        version=1,
        locale=locale,
        voice="\n\n".join(part for part in told if part)[:MAX_VOICE] or name,
        refusal="Not that. Ask me another.",
        summary=clean(filled(data.get("creator_notes")))[:300],
        greetings=_addressed([filled(line) for line in first]),
        examples=_examples(_dialogue(filled(data.get("mes_example")), name)),
        lore=_lore([_entry(entry, filled) for entry in (entries if isinstance(entries, list) else [])]),
    )


def _entry(entry: object, filled: Any) -> tuple[str, str]:
    if not isinstance(entry, dict) or entry.get("enabled") is False or not isinstance(entry.get("keys"), list):
        return "", ""
    return ",".join(str(key).replace(",", " ") for key in entry["keys"]), filled(entry.get("content"))


def _dialogue(text: str, name: str) -> list[tuple[str, ...]]:
    """(question, reply) pairs from "the sitter: …" / "<name>: …" lines."""
    pairs: list[tuple[str, ...]] = []
    question = ""
    for line in text.split("\n"):
        who, colon, said = line.partition(":")
        if colon and who.strip() == "the sitter":
            question = said.strip()
        elif colon and who.strip() == name and question:
            pairs.append((question, said.strip()))
            question = ""
    return pairs


def to_card(persona: Persona, *, spec: str = "chara_card_v2") -> dict[str, Any]:
    """The persona as a character card, plain JSON types. `spec`: chara_card_v2 or chara_card_v3; else `KeyError`."""
    entries = [
        {"keys": list(e.keys), "content": e.text, "enabled": True, "insertion_order": at, "extensions": {}}
        for at, e in enumerate(persona.lore)
    ]
    greetings = [line.replace("#asker#", "{{user}}") for line in persona.greetings]
    data: dict[str, Any] = {
        "name": persona.name,
        "description": persona.voice,
        "personality": "",
        "scenario": "",
        "first_mes": greetings[0] if greetings else "",
        "mes_example": "\n".join(f"{{{{user}}}}: {e.question}\n{{{{char}}}}: {e.voice}" for e in persona.examples),
        "creator_notes": persona.summary,
        "system_prompt": "",
        "post_history_instructions": "",
        "alternate_greetings": greetings[1:],
        "tags": ["seance"],
        "creator": "",
        "character_version": str(persona.version),
        "extensions": {"seance": {"slug": persona.slug, "locale": persona.locale, "digest": persona.digest()}},
        "character_book": {"extensions": {}, "entries": entries},
    }
    if spec == "chara_card_v3":
        data["group_only_greetings"] = []
    return {"spec": spec, "spec_version": _SPECS[spec], "data": data}
