"""Tests of the admins' room: a persona is edited as a draft, previewed, published, compared and brought back."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from sessions_app.models import PersonaVersion, SpiritPersona
from sessions_app.services.personas import content_of
from sessions_app.spirits.personas import bundled, load_persona

ADD = "/admin/sessions_app/personaversion/add/"


def page(version: PersonaVersion, name: str = "change") -> str:
    return reverse(f"admin:sessions_app_personaversion_{name}", args=[version.pk])


def content(**changed: object) -> str:
    return json.dumps({**content_of(load_persona()), "slug": "the-ferryman", "name": "The Ferryman", **changed})


@pytest.fixture
def draft(admin: Client) -> PersonaVersion:
    answer = admin.post(ADD, {"body": content(), "note": "first"})
    assert answer.status_code == 302, answer.context["form"].errors
    return PersonaVersion.objects.get(persona__slug="the-ferryman")


def test_a_draft_is_edited_and_previewed(admin: Client, draft: PersonaVersion) -> None:
    answer = admin.post(page(draft), {"body": content(refusal="Not from this bank."), "note": "second"})
    assert answer.status_code == 302
    draft.refresh_from_db()

    shown = admin.get(page(draft)).content.decode()

    assert (draft.number, draft.content["refusal"], draft.note) == (1, "Not from this bank.", "second")
    assert shown.count("✓") == 12
    assert "When will I die?" in shown


def test_a_draft_is_published_after_a_question_and_never_edited_again(admin: Client, draft: PersonaVersion) -> None:
    assert admin.get(page(draft, "publish")).status_code == 200
    assert SpiritPersona.objects.get(slug="the-ferryman").current is None
    admin.post(page(draft, "publish"))
    admin.post(page(draft), {"body": content(refusal="Changed."), "note": "x"})

    draft.refresh_from_db()
    assert SpiritPersona.objects.get(slug="the-ferryman").current == draft
    assert draft.content["refusal"] != "Changed."


def test_a_new_version_is_compared_published_and_taken_back(admin: Client, draft: PersonaVersion) -> None:
    admin.post(page(draft, "publish"))
    admin.post(page(draft, "copy"))
    second = PersonaVersion.objects.get(persona__slug="the-ferryman", number=2)
    admin.post(page(second), {"body": content(refusal="Not from this bank."), "note": "b"})

    diff = admin.get(page(second, "compare")).content.decode()
    assert "+  &quot;refusal&quot;: &quot;Not from this bank.&quot;" in diff
    admin.post(page(second, "publish"))
    assert SpiritPersona.objects.get(slug="the-ferryman").current == second
    admin.post(page(draft, "publish"))
    assert SpiritPersona.objects.get(slug="the-ferryman").current == draft


def test_a_file_becomes_a_draft_and_a_bad_one_an_error_at_its_field(admin: Client) -> None:
    good = SimpleUploadedFile("a.md", b"# The Miller\nYou grind. ![x](http://example.org/x.png)")
    assert admin.post(ADD, {"upload": good, "note": ""}).status_code == 302
    assert PersonaVersion.objects.get(persona__slug="the-miller").content["voice"] == "You grind."
    for body, said in ((b"x" * 300_000, "256 KiB"), (b"{", "not JSON"), (b"plain", "heading")):
        answer = admin.post(ADD, {"upload": SimpleUploadedFile("b", body), "note": ""})
        assert said in str(answer.context["adminform"].form.errors["upload"])


def test_what_fails_its_probes_is_told_and_not_published(admin: Client) -> None:
    admin.post(ADD, {"body": content(grammar={"refuse.medical": ["SURE | Take 200 mg and wait."]}), "note": ""})
    version = PersonaVersion.objects.get(persona__slug="the-ferryman")

    answer = admin.post(page(version, "publish"), follow=True)

    assert "advice" in answer.content.decode()
    version.refresh_from_db()
    assert version.state == "draft"


def test_a_version_is_exported_and_a_persona_hidden(admin: Client) -> None:
    row = SpiritPersona.objects.get(slug="aunt-posy", locale="en")
    assert row.current is not None
    found = admin.get(page(row.current, "export"))
    assert json.loads(found.content)["slug"] == "aunt-posy"
    data = {"action": "hide_selected", "_selected_action": [str(row.pk)]}
    admin.post("/admin/sessions_app/spiritpersona/", data)

    row.refresh_from_db()
    assert row.current is None


@pytest.mark.parametrize("name", ["spiritpersona", "personaversion", "spending", "spiritturn"])
def test_every_list_opens(admin: Client, name: str) -> None:
    assert admin.get(f"/admin/sessions_app/{name}/").status_code == 200


def test_nobody_else_gets_in(client: Client) -> None:
    row = PersonaVersion.objects.first()
    assert row is not None
    for name in ("publish", "copy", "compare", "export"):
        assert client.post(page(row, name)).status_code == 302
    assert PersonaVersion.objects.count() == len(bundled())
