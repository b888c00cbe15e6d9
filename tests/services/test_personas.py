"""Tests of sessions_app/services: personas: versions never change, drafts are probed, sessions pin one."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sessions_app.errors import Code, SeanceError
from sessions_app.inputs import CreateSession, SpiritInput, UpdateSession
from sessions_app.models import PersonaVersion, Session, SpiritPersona, SpiritTurn
from sessions_app.selectors.personas import published
from sessions_app.services.personas import (
    enter_bundled,
    hide_persona,
    persona_of,
    pinned,
    probe,
    publish_version,
    save_draft,
)
from sessions_app.services.sessions import create_session, update_session
from sessions_app.services.turns import Claim, claim
from sessions_app.spirits.base import Persona, Temperament
from sessions_app.spirits.personas import bundled, load_persona
from tests.services.helpers import make_account, make_session, say

pytestmark = pytest.mark.django_db


def draft(**changed: object) -> PersonaVersion:
    persona = replace(load_persona(), slug="the-ferryman", name="The Ferryman", **changed)
    return save_draft(actor=None, persona=persona, note="a test")


def refusal(service: object, **values: object) -> SeanceError:
    with pytest.raises(SeanceError) as caught:
        service(**values)  # type: ignore[operator]
    return caught.value


def test_what_comes_with_the_release_is_published_once() -> None:
    before = PersonaVersion.objects.count()
    enter_bundled()

    assert PersonaVersion.objects.count() == before == len(bundled())
    assert [persona.slug for persona, _ in published()][:2] == ["the-spirit", "the-spirit"]
    assert all(version.digest == persona_of(version).digest() for version in PersonaVersion.objects.all())


def test_a_changed_file_is_a_new_version_and_comes_into_force(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(slug: str, locale: str) -> Persona:
        return replace(load_persona(slug, locale), refusal="Not that gate.")

    monkeypatch.setattr("sessions_app.services.personas.load_persona", changed)
    enter_bundled()

    row = SpiritPersona.objects.get(slug="the-spirit", locale="en")
    assert row.current is not None
    assert (row.current.number, row.current.content["refusal"]) == (2, "Not that gate.")
    assert row.versions.count() == 2


def test_a_draft_is_seen_by_nobody_until_it_is_published() -> None:
    version = draft()
    assert "the-ferryman" not in [persona.slug for persona, _ in published()]
    host = make_account("Host")
    values = CreateSession(name="A room", spirit=SpiritInput(persona="the-ferryman"))
    assert refusal(create_session, actor=host, values=values).details["spirit"]

    publish_version(actor=None, version_id=version.id)

    assert "the-ferryman" in [persona.slug for persona, _ in published()]
    session, _, _ = create_session(actor=host, values=values)
    assert session.spirit.persona == "the-ferryman"


def test_a_published_version_never_changes() -> None:
    version = publish_version(actor=None, version_id=draft().id)
    persona = replace(persona_of(version), refusal="Another.")

    assert refusal(save_draft, actor=None, persona=persona, version=version).code == Code.FORBIDDEN
    second = save_draft(actor=None, persona=persona)
    assert (second.number, second.state) == (2, "draft")
    assert second.digest != version.digest


def test_a_draft_is_edited_in_place() -> None:
    version = draft()
    persona = replace(persona_of(version), refusal="Another.")

    again = save_draft(actor=None, persona=persona, version=version)

    assert (again.pk, again.number) == (version.pk, 1)
    assert PersonaVersion.objects.get(pk=version.pk).content["refusal"] == "Another."


def test_an_older_version_can_come_back() -> None:
    first = publish_version(actor=None, version_id=draft().id)
    second = publish_version(actor=None, version_id=draft(refusal="Another.").id)
    assert SpiritPersona.objects.get(slug="the-ferryman").current == second

    publish_version(actor=None, version_id=first.id)

    assert SpiritPersona.objects.get(slug="the-ferryman").current == first


def test_what_fails_its_probes_is_not_published() -> None:
    version = draft(grammar={"refuse.medical": ("SURE | Take 200 mg and wait.",)})
    problems = [one.problem for one in probe(version)]

    assert "advice" in problems
    assert refusal(publish_version, actor=None, version_id=version.id).code == Code.VALIDATION_ERROR
    assert PersonaVersion.objects.get(pk=version.pk).state == "draft"


@pytest.mark.parametrize(
    "changed",
    [
        {"voice": "x" * 6_001},
        {"temperament": Temperament(menace=101)},
        {"refusal": ""},
        {"greetings": ("Kill yourself.",)},
        {"grammar": {"loop": ("#loop#",)}},
        {"grammar": {"a": ("#b##b#",), "b": ("#c##c#",), "c": ("#a##a#",)}},
        {"grammar": {f"s{n}": (f"#s{n + 1}##s{n + 1}##s{n + 1}#",) for n in range(11)} | {"s11": ("",)}},
    ],
)
def test_what_is_out_of_bounds_is_no_draft(changed: dict[str, object]) -> None:
    persona = replace(load_persona(), slug="the-ferryman", **changed)

    assert refusal(save_draft, actor=None, persona=persona).code == Code.VALIDATION_ERROR


def test_a_session_pins_the_version_of_its_first_turn() -> None:
    host = make_account("Host")
    room = make_session(host, spirit_mode="open", spirit_persona="the-ferryman")
    first = publish_version(actor=None, version_id=draft().id)
    say(room, host, "First?")
    assert isinstance(claim(room.id), Claim)
    second = publish_version(actor=None, version_id=draft(refusal="Another.").id)

    room.refresh_from_db()
    assert pinned(room)[0] == first
    assert SpiritTurn.objects.get().persona == first
    update_session(
        actor=host, session_id=room.id, values=UpdateSession(spirit=SpiritInput(persona="the-spirit", locale="es"))
    )
    update_session(
        actor=host, session_id=room.id, values=UpdateSession(spirit=SpiritInput(persona="the-ferryman", locale="en"))
    )
    assert pinned(Session.objects.get(pk=room.id))[0] == second


def test_a_hidden_persona_stays_where_it_is_pinned() -> None:
    host = make_account("Host")
    version = publish_version(actor=None, version_id=draft().id)
    room = make_session(host, spirit_mode="open", spirit_persona="the-ferryman")
    pinned(room)

    hide_persona(actor=None, persona_id=version.persona_id)

    assert pinned(Session.objects.get(pk=room.id))[0] == version
    fresh = make_session(host, spirit_mode="open", spirit_persona="the-ferryman")
    assert pinned(fresh)[1].slug == "the-spirit"


def test_the_host_colours_the_spirit_below_its_persona() -> None:
    host = make_account("Host")
    spirit = SpiritInput(warmth=5, menace=90, theme="  A night at sea ")
    session, _, _ = create_session(actor=host, values=CreateSession(name="A room", spirit=spirit))

    persona = pinned(Session.objects.get(pk=session.id))[1]

    assert (session.spirit.warmth, session.spirit.menace, session.spirit.theme) == (5, 90, "A night at sea")
    assert (persona.temperament.warmth, persona.temperament.riddling, persona.theme) == (5, 60, "A night at sea")


def test_a_theme_is_a_line_of_text() -> None:
    host = make_account("Host")
    for theme in ("x" * 201, "a\nb", "a\u202eb"):
        values = CreateSession(name="A room", spirit=SpiritInput(theme=theme))
        assert "spirit" in refusal(create_session, actor=host, values=values).details


def test_a_spirit_speaks_another_language() -> None:
    host = make_account("Host")
    spirit = SpiritInput(persona="the-spirit", locale="es", mode="open")
    session, _, _ = create_session(actor=host, values=CreateSession(name="A room", spirit=spirit))
    say(Session.objects.get(pk=session.id), host, "¿Quién eres?")

    found = claim(session.id)

    assert isinstance(found, Claim)
    assert (session.spirit.locale, found.persona.locale) == ("es", "es")
    assert refusal(
        create_session, actor=host, values=CreateSession(name="A room", spirit=SpiritInput(locale="xx"))
    ).details["spirit"]
