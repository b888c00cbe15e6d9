"""Tests of the commands for personas: a file becomes a draft, a draft is published, a version is printed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command

from sessions_app.management.base import Refused
from sessions_app.models import AuditEntry, PersonaVersion, SpiritPersona

pytestmark = pytest.mark.django_db

STEERING = """---
title: The Ferryman
description: He rows.
---
# The Ferryman
You row people over a river that is not on any map. Short sentences. ![me](https://example.org/me.png)
See https://example.org/lore for more.

## Refusal
- Not from this bank.

## Greetings
- Mind the step, #asker#.
"""


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def refusal(*arguments: str) -> str:
    with pytest.raises(Refused) as caught:
        run(*arguments)
    return str(caught.value)


def test_steering_is_imported_published_and_exported(tmp_path: Path) -> None:
    file = tmp_path / "ferryman.md"
    file.write_text(STEERING, encoding="utf-8")

    draft = json.loads(run("import_persona", str(file), "--json"))
    assert (draft["persona"], draft["version"], draft["problems"]) == ("the-ferryman (en)", 1, [])
    assert SpiritPersona.objects.get(slug="the-ferryman").current is None
    run("publish_persona", "the-ferryman")

    whole = json.loads(run("export_persona", "the-ferryman"))
    assert "http" not in whole["voice"]
    assert (whole["refusal"], whole["greetings"]) == ("Not from this bank.", ["Mind the step, #asker#."])
    assert AuditEntry.objects.get(act="publish_persona").details == {
        "slug": "the-ferryman",
        "number": 1,
        "by": "operator",
    }
    for form, spec in (("card-v2", "chara_card_v2"), ("card-v3", "chara_card_v3")):
        card = run("export_persona", "the-ferryman", "--format", form)
        again = tmp_path / f"{form}.json"
        again.write_text(card, encoding="utf-8")
        assert json.loads(card)["spec"] == spec
        run("import_persona", str(again))
    assert PersonaVersion.objects.filter(persona__slug="the-ferryman").count() == 3


def test_an_exported_persona_comes_back_the_same(tmp_path: Path) -> None:
    file = tmp_path / "posy.json"
    file.write_text(run("export_persona", "aunt-posy"), encoding="utf-8")

    run("import_persona", str(file))

    first, second = PersonaVersion.objects.filter(persona__slug="aunt-posy", persona__locale="en").order_by("number")
    assert {**first.content, "version": 2} == second.content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x" * 10_000_000, "more than 256 KiB"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"no heading at all", "neither a title nor a heading"),
        (b'{"spec": "chara_card_v9", "data": {}}', "neither a chara_card_v2 nor a chara_card_v3"),
        (b'{"a": ' * 50 + b"1" + b"}" * 50, "nested deeper"),
        (b"{", "not JSON"),
        (b'{"slug": "x"}', "missing required field"),
    ],
)
def test_what_is_no_persona_is_refused_in_one_line(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "bad"
    file.write_bytes(content)

    assert said in refusal("import_persona", str(file))
    assert not PersonaVersion.objects.filter(note__startswith="imported").exists()


def test_a_grammar_that_never_ends_is_refused(tmp_path: Path) -> None:
    whole = json.loads(run("export_persona", "aunt-posy"))
    file = tmp_path / "loop.json"
    file.write_text(json.dumps({**whole, "grammar": {"loop": ["#loop#"]}}), encoding="utf-8")

    assert "loop never ends" in refusal("import_persona", str(file))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    assert "no such version" in refusal("publish_persona", "nobody")
    assert "no such version" in refusal("export_persona", "the-spirit", "--number", "9")
    assert "cannot be read" in refusal("import_persona", str(tmp_path / "nothing"))
