"""Room: tests/spirits. Personas from elsewhere, and the files that try to be more than that."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sessions_app.spirits.persona_import import PersonaImportError, from_card, from_steering, to_card
from sessions_app.spirits.personas import bundled, load_persona
from sessions_app.spirits.probes import check

STEERING = """---
inclusion: always
description: "Keeper of the lamp room"
locale: en
---
# Lamp Keeper

You speak of weather and ships. #[[file:../../.env]]

## Manner
Dry, brief.

## Greetings
- You are late. The light is on.

## Refusal
- Not on my watch.

## Lore
- lamp, light: The lamp has not gone out since 1902.

## Examples
- Is it safe? => No. But it is lit.
"""


def card(spec: str = "chara_card_v2", **changes: object) -> str:
    data: dict[str, object] = {
        "name": "Old Wick",
        "description": "{{char}} keeps candles for {{user}}.",
        "personality": "patient",
        "scenario": "a cellar",
        "first_mes": "Mind the wax, {{user}}.",
        "alternate_greetings": ["Ah."],
        "mes_example": "{{user}}: Who are you?\n{{char}}: A short flame.",
        "system_prompt": "",
        "post_history_instructions": "obey",
        "character_book": {"entries": [{"keys": ["wax"], "content": "Wax remembers.", "enabled": True}, {"keys": 3}]},
        "extensions": {"script": "alert(1)"},
    }
    return json.dumps({"spec": spec, "spec_version": "2.0", "data": data | changes})


def test_a_steering_file_becomes_a_persona() -> None:
    persona = from_steering(STEERING)

    assert (persona.name, persona.slug, persona.summary) == ("Lamp Keeper", "lamp-keeper", "Keeper of the lamp room")
    assert persona.greetings == ("You are late. The light is on.",)
    assert persona.refusal == "Not on my watch."
    assert persona.lore[0].keys == ("lamp", "light")
    assert (persona.examples[0].board, persona.examples[0].voice) == ("NO. BUT IT IS LIT", "No. But it is lit.")
    assert "Dry, brief." in persona.voice


def test_of_links_and_images_only_words_stay() -> None:
    link, image = "[the quay](http://evil.example)", "![map](https://evil.example/m.png)"

    persona = from_steering(f"# Ferry\nYou row to {link}. {image}\n\n## Greetings\n- Mind {link}! {image}\n")

    assert persona.voice == "You row to the quay."
    assert persona.greetings == ("Mind the quay!",)


@pytest.mark.parametrize(
    ("field", "value"),
    [("slug", "../../etc/passwd"), ("slug", "x" * 51), ("locale", "../x"), ("locale", ""), ("name", "A\u202eB")],
)
def test_a_persona_s_handle_is_a_plain_word(field: str, value: str) -> None:
    persona = replace(load_persona(), **{field: value})

    assert [problem for problem in check(persona) if problem.startswith(field)]
    assert check(load_persona()) == []


def test_a_steering_file_cannot_name_files() -> None:
    assert "env" not in from_steering(STEERING).voice


@pytest.mark.parametrize("spec", ["chara_card_v2", "chara_card_v3"])
def test_a_character_card_becomes_a_persona(spec: str) -> None:
    persona = from_card(card(spec))

    assert persona.name == "Old Wick"
    assert persona.voice.startswith("Old Wick keeps candles for the sitter.")
    assert persona.greetings == ("Mind the wax, #asker#.", "Ah.")
    assert persona.examples[0].question == "Who are you?"
    assert [entry.text for entry in persona.lore] == ["Wax remembers."]
    assert "obey" not in persona.voice
    assert "alert" not in persona.voice


@pytest.mark.parametrize("pair", bundled())
@pytest.mark.parametrize("spec", ["chara_card_v2", "chara_card_v3"])
def test_a_persona_survives_being_exported_and_imported(pair: tuple[str, str], spec: str) -> None:
    persona = load_persona(*pair)

    again = from_card(json.dumps(to_card(persona, spec=spec)), locale=persona.locale)

    assert (again.name, again.voice, again.lore) == (persona.name, persona.voice, persona.lore)
    assert again.greetings == persona.greetings
    assert [e.voice for e in again.examples] == [e.voice for e in persona.examples]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"x" * 300_000, "too_large"),
        (b"\xff\xfe\xff", "not_text"),
        ("{", "not_json"),
        ("[" * 5000, "too_deep"),
        ('{"a":' * 30 + "1" + "}" * 30, "too_deep"),
        ("{}", "unknown_format"),
        ("[]", "unknown_format"),
        ('{"spec": "chara_card_v2", "data": []}', "unknown_format"),
        (card(name=" "), "no_name"),
    ],
)
def test_a_bad_card_is_refused_with_its_reason(raw: bytes | str, code: str) -> None:
    with pytest.raises(PersonaImportError) as caught:
        from_card(raw)

    assert caught.value.code == code


def test_brackets_inside_a_text_are_not_depth() -> None:
    assert from_card(card(scenario="[" * 100 + '\\"')).name == "Old Wick"


def test_a_steering_file_without_a_name_is_refused() -> None:
    with pytest.raises(PersonaImportError, match="heading"):
        from_steering("just words")


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.text(max_size=20) | st.integers(), lambda c: st.lists(c, max_size=3), max_leaves=5))
def test_a_card_of_odd_types_is_a_persona_or_a_typed_error(odd: object) -> None:
    raw = card(description=odd, first_mes=odd, alternate_greetings=odd, character_book=odd, mes_example=odd)

    assert from_card(raw).name == "Old Wick"
