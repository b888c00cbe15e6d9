"""sessions_app, writes: personas: draft → probe → publish. A published version never changes; a session pins one.

What comes with the release stands in files and is entered as published versions by `migrate`; admins make their own
versions beside them, and whatever they publish stays in force until they publish something else.
"""

from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import Max
from msgspec.structs import replace

from sessions_app import events
from sessions_app.errors import Code, SeanceError, invalid
from sessions_app.models import Act, PersonaVersion, Session, SpiritPersona, User, VersionState
from sessions_app.services.audit import record
from sessions_app.spirits.base import Persona
from sessions_app.spirits.personas import DEFAULT_SLUG, bundled, load_persona
from sessions_app.spirits.probes import Probe, check, run_probes

BUNDLED = "comes with the release"


@lru_cache(maxsize=256)
def _content(version_id: UUID, digest: str) -> Persona:
    return persona_of(PersonaVersion.objects.get(pk=version_id, digest=digest))


def persona_of(version: PersonaVersion) -> Persona:
    """A version's content as the spirit library knows it."""
    return msgspec.convert(version.content, Persona)


def content_of(persona: Persona) -> dict[str, Any]:
    """A persona as it is stored."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(persona))
    return found


def exists(slug: str, locale: str) -> bool:
    """Whether a published persona has this name in this language."""
    return SpiritPersona.objects.filter(slug=slug, locale=locale, current__isnull=False).exists()


def _version(session: Session) -> PersonaVersion | None:
    if session.spirit_version_id is not None:
        return PersonaVersion.objects.filter(pk=session.spirit_version_id).first()
    rows = PersonaVersion.objects.filter(current_of__isnull=False).select_related("persona")
    for slug, locale in ((session.spirit_persona, session.spirit_locale), (DEFAULT_SLUG, session.spirit_locale)):
        if found := rows.filter(persona__slug=slug, persona__locale=locale).first():
            return found
    return rows.filter(persona__slug=DEFAULT_SLUG, persona__locale="en").first()


def pinned(session: Session) -> tuple[PersonaVersion | None, Persona]:
    """The version that a locked session has, from its first turn on, and the persona as its host has coloured it."""
    version = _version(session)
    if version is None:  # the tables were never filled; what comes with the release is there all the same
        return None, _coloured(session, load_persona())
    if session.spirit_version_id != version.id:
        session.spirit_version = version
        session.save(update_fields=["spirit_version"])
    return version, _coloured(session, _content(version.id, version.digest))


def _coloured(session: Session, persona: Persona) -> Persona:
    dials = {
        name: value
        for name in ("warmth", "riddling", "menace")
        if (value := getattr(session, f"spirit_{name}")) is not None
    }
    return replace(persona, theme=session.spirit_theme, temperament=replace(persona.temperament, **dials))


def spirit_name(session: Session) -> str:
    """What the spirit of a session is called."""
    version = _version(session)
    return _content(version.id, version.digest).name if version else load_persona().name


# --- Versions ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def save_draft(
    *, actor: User | None, persona: Persona, note: str = "", version: PersonaVersion | None = None
) -> PersonaVersion:
    """A new draft of a persona, or a draft with other content; a published version is never touched.

    Raises `VALIDATION_ERROR` with what is wrong about the content.
    """
    if wrong := check(persona):
        raise invalid(content=wrong)
    if version is not None and version.state != VersionState.DRAFT:
        raise SeanceError(Code.FORBIDDEN, "A published version never changes; make a new one of it.")
    row, _ = SpiritPersona.objects.get_or_create(
        slug=persona.slug, locale=persona.locale, defaults={"name": persona.name}
    )
    SpiritPersona.objects.select_for_update().get(pk=row.pk)
    if version is None:
        last = row.versions.aggregate(last=Max("number"))["last"] or 0
        version = PersonaVersion(persona=row, number=last + 1, author_id=actor.id if actor else None)
    elif version.persona_id != row.pk:
        raise invalid(content="The slug and the locale of a version stay as they are.")
    content = replace(persona, version=version.number)
    version.content, version.digest, version.note = content_of(content), content.digest(), note[:200]
    version.save()
    return version


def probe(version: PersonaVersion) -> list[Probe]:
    """The twelve questions, four of them about safety, and what this version answers."""
    return run_probes(persona_of(version))


@transaction.atomic
def publish_version(*, actor: User | None, version_id: UUID) -> PersonaVersion:
    """Make a version the one that new sessions get: a draft that passes its probes, or an older one again.

    Raises `NOT_FOUND`, and `VALIDATION_ERROR` with what the probes found.
    """
    version = PersonaVersion.objects.select_for_update().filter(pk=version_id).first()
    if version is None:
        raise SeanceError(Code.NOT_FOUND)
    persona = persona_of(version)
    failed = [f"{one.question} → {one.problem}" for one in run_probes(persona) if one.problem]
    if wrong := [*check(persona), *failed]:
        raise invalid(content=wrong)
    if version.state == VersionState.DRAFT:
        version.state, version.published_at = VersionState.PUBLISHED, events.now()
        version.save(update_fields=["state", "published_at"])
    SpiritPersona.objects.filter(pk=version.persona_id).update(current=version, name=persona.name)
    record(Act.PUBLISH_PERSONA, actor=actor, target=version.id, slug=persona.slug, number=version.number)
    return version


@transaction.atomic
def hide_persona(*, actor: User | None, persona_id: UUID) -> None:
    """Let no new session have this persona; those that have pinned a version keep it. Raises `NOT_FOUND`."""
    row = SpiritPersona.objects.filter(pk=persona_id).first()
    if row is None:
        raise SeanceError(Code.NOT_FOUND)
    if row.current_id is not None:
        row.current = None
        row.save(update_fields=["current"])
        record(Act.HIDE_PERSONA, actor=actor, target=row.id, slug=row.slug)


@transaction.atomic
def enter_bundled() -> None:
    """Enter what comes with the release; a changed file is a new version, and comes into force where the last one
    that came with a release still is."""
    for slug, locale in bundled():
        persona = load_persona(slug, locale)
        row, _ = SpiritPersona.objects.get_or_create(slug=slug, locale=locale, defaults={"name": persona.name})
        if any(_same(version.content, persona) for version in row.versions.filter(note=BUNDLED)):
            continue
        number = max(persona.version, (row.versions.aggregate(last=Max("number"))["last"] or 0) + 1)
        content = replace(persona, version=number)
        version = PersonaVersion.objects.create(
            persona=row, number=number, state=VersionState.PUBLISHED, content=content_of(content),
            digest=content.digest(), note=BUNDLED, published_at=events.now(),
        )  # fmt: skip
        if row.current is None or row.current.note == BUNDLED:
            row.current, row.name = version, persona.name
            row.save(update_fields=["current", "name"])


def _same(content: dict[str, Any], persona: Persona) -> bool:
    return {**content, "version": 0} == {**content_of(persona), "version": 0}
