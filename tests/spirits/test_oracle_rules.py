"""Room: tests/spirits. The oracle's rules are data, and each is tested by its own data."""

from __future__ import annotations

import re

import pytest

from sessions_app.spirits.oracle.pack import Rule, load_pack, pack_locales
from sessions_app.spirits.oracle.reading import read
from sessions_app.spirits.oracle.tracery import problems

RULES = [
    pytest.param(locale, rule, id=f"{locale}-{rule.id}")
    for locale in pack_locales()
    for rule in load_pack(locale).rules
]
SLOTS = frozenset(
    "asker other someone people count x y vp given person pick unpick first first.tail last recall.who recall.thing"
    " recall.text".split()
)


@pytest.mark.parametrize(("locale", "rule"), RULES)
def test_what_must_reach_a_rule_reaches_it(locale: str, rule: Rule) -> None:
    assert rule.must
    assert {text: read(text, locale).rule.id for text in rule.must} == dict.fromkeys(rule.must, rule.id)


@pytest.mark.parametrize(("locale", "rule"), RULES)
def test_what_must_not_reach_a_rule_does_not(locale: str, rule: Rule) -> None:
    assert [text for text in rule.must_not if read(text, locale).rule.id == rule.id] == []


@pytest.mark.parametrize("locale", pack_locales())
def test_the_grammar_names_no_symbol_that_is_not_there(locale: str) -> None:
    pack = load_pack(locale)
    bio = {
        f"bio.{aspect}.{name}"
        for aspect, choices in pack.biography.aspects.items()
        for name in set.intersection(*(set(choice) for choice in choices))
    }

    assert problems([pack.grammar], SLOTS | bio) == []


@pytest.mark.parametrize("locale", pack_locales())
def test_every_rule_has_something_to_say(locale: str) -> None:
    pack = load_pack(locale)
    wanted = set()
    for rule in pack.rules:
        for say in rule.say:
            if rule.verdict == "auto":
                wanted |= {f"{say if f'{say}.yes' in pack.grammar else 'yesno'}.{v}" for v in ("yes", "no", "maybe")}
            elif rule.verdict == "fact":
                wanted |= {f"{say}.yes", f"{say}.no"}
            elif rule.aspect:
                wanted |= {f"{say}.{step}" for step in (1, 2, 3)}
            elif rule.id != "self.story":
                wanted.add(say)

    assert sorted(wanted - set(pack.grammar)) == []


@pytest.mark.parametrize("locale", pack_locales())
def test_every_symbol_can_be_said_without_a_word_of_the_sitters(locale: str) -> None:
    grammar = load_pack(locale).grammar
    borrowed = re.compile(r"#(?:x|y|vp|given|person|other|pick|unpick|last|first|recall)\b")

    needy = [
        symbol
        for symbol, lines in grammar.items()
        if all(borrowed.search(line) for line in lines)
        and not symbol.startswith(("recall.", "again.", "person.", "either", "meta.last", "meta.repeat"))
    ]

    assert needy == []


@pytest.mark.parametrize("locale", pack_locales())
def test_every_topic_has_its_own_words(locale: str) -> None:
    pack = load_pack(locale)
    needed = {f"{topic}.{part}" for topic, _ in pack.topics for part in ("say", "yes", "no", "do", "sign", "board")}

    assert sorted(needed - set(pack.grammar)) == []


def test_an_unknown_language_gets_the_english_pack() -> None:
    assert load_pack("xx").locale == "en"
    assert load_pack("en-GB") is not None
