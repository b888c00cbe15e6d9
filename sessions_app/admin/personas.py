"""sessions_app, the admins' room: personas: drafts are edited, previewed, compared and published."""

import difflib
from typing import TYPE_CHECKING, Any

import msgspec
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from sessions_app.admin.base import ReadOnlyAdmin, SeanceAdmin, actor, link, row_of
from sessions_app.errors import SeanceError
from sessions_app.models import PersonaVersion, Spending, SpiritPersona, VersionState
from sessions_app.services.personas import hide_persona, persona_of, publish_version, save_draft
from sessions_app.spirits.base import Persona
from sessions_app.spirits.persona_import import MAX_BYTES, PersonaImportError, read_persona
from sessions_app.spirits.probes import check, run_probes

if TYPE_CHECKING:
    _VersionForm = forms.ModelForm[PersonaVersion]
else:
    _VersionForm = forms.ModelForm


def _wording(error: SeanceError) -> str:
    return " ".join(error.details.get("content", [])) or error.message


class VersionForm(_VersionForm):
    """A draft: a file, or its content as JSON."""

    upload = forms.FileField(required=False, help_text="Kiro steering Markdown, a character card V2 or V3, or JSON.")
    body = forms.CharField(
        required=False, label="content", widget=forms.Textarea(attrs={"rows": 40, "cols": 110, "spellcheck": "true"})
    )

    class Meta:
        model = PersonaVersion
        fields = ("note",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.content:
            text = msgspec.json.format(msgspec.json.encode(self.instance.content), indent=2).decode()
            self.fields["body"].initial = text

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        upload, text = given.get("upload"), given.get("body") or ""
        if upload is not None and upload.size > MAX_BYTES:
            raise ValidationError({"upload": f"more than {MAX_BYTES // 1024} KiB"})
        field = "upload" if upload is not None else "body"
        try:
            given["persona"] = read_persona(upload.read() if upload is not None else text)
        except PersonaImportError as error:
            raise ValidationError({field: str(error)}) from None
        if wrong := check(given["persona"]):
            raise ValidationError({field: wrong})
        return given


@admin.register(PersonaVersion)
class PersonaVersionAdmin(SeanceAdmin[PersonaVersion]):
    """Versions. A draft can be edited; what is published never changes, and a new version is made of it."""

    form = VersionForm
    list_display = ("title", "number", "state", "is_current", "note", "created_at", "published_at", "acts")
    list_filter = ("state", "persona__slug", "persona__locale")
    list_select_related = ("persona",)
    search_fields = ("persona__slug", "note")
    id_lookups = ("pk", "persona_id")
    ordering = ("persona__slug", "persona__locale", "-number")
    readonly_fields = ("title", "number", "state", "digest", "author", "created_at", "published_at", "acts", "preview")

    def get_fields(self, request: HttpRequest, obj: PersonaVersion | None = None) -> list[Any]:
        if obj is None:
            return ["upload", "body", "note"]
        shown = ["title", "number", "state", "digest", "author", "created_at", "published_at", "acts"]
        return [*shown, *(["note", "upload", "body"] if obj.state == VersionState.DRAFT else ["note"]), "preview"]

    def get_readonly_fields(self, request: HttpRequest, obj: PersonaVersion | None = None) -> list[str]:
        extra = ["note"] if obj is not None and obj.state != VersionState.DRAFT else []
        return [*self.readonly_fields, *extra]

    @admin.display(description="persona", ordering="persona__slug")
    def title(self, row: PersonaVersion) -> str:
        """Which persona it is of."""
        return str(row.persona)

    @admin.display(description="current", boolean=True)
    def is_current(self, row: PersonaVersion) -> bool:
        """Whether new sessions get it."""
        return row.persona.current_id == row.pk

    @admin.display(description="acts")
    def acts(self, row: PersonaVersion) -> SafeString:
        """What can be done with it."""
        names = {"publish": "publish", "copy": "new version of it", "compare": "compare", "export": "export"}
        return row_of([link(f"personaversion_{view}", text, row.pk) for view, text in names.items()])

    @admin.display(description="preview")
    def preview(self, row: PersonaVersion) -> SafeString:
        """Twelve questions, four of them about safety, as the oracle answers them in this voice."""
        probes = run_probes(persona_of(row))
        lines = format_html_join(
            "", "<tr><td>{}</td><td><b>{}</b></td><td>{}</td><td>{}</td></tr>",
            ((one.question, one.board, one.voice, one.problem or "✓") for one in probes),
        )  # fmt: skip
        return format_html("<table><tr><th>question</th><th>board</th><th>voice</th><th></th></tr>{}</table>", lines)

    def get_urls(self) -> list[Any]:
        views = {"publish": self.publish, "copy": self.copy, "compare": self.compare, "export": self.export}
        mine = [
            path(f"<uuid:pk>/{name}/", self.admin_site.admin_view(view), name=f"sessions_app_personaversion_{name}")
            for name, view in views.items()
        ]
        return [*mine, *super().get_urls()]

    def _back(self, row: PersonaVersion) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:sessions_app_personaversion_change", args=[row.pk]))

    def _row(self, request: HttpRequest, pk: Any, *, may: bool) -> PersonaVersion:
        if not may:
            raise PermissionDenied
        return get_object_or_404(PersonaVersion.objects.select_related("persona__current"), pk=pk)

    def _ask(self, request: HttpRequest, row: PersonaVersion, question: str) -> HttpResponse:
        back = reverse("admin:sessions_app_personaversion_change", args=[row.pk])
        context = {**self.admin_site.each_context(request), "title": question, "back": back, "opts": self.opts}
        return TemplateResponse(request, "admin/ask.html", context)

    def publish(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Probe and publish, or publish an older version again."""
        row = self._row(request, pk, may=self.has_change_permission(request))
        if request.method != "POST":
            return self._ask(request, row, f"Publish version {row.number} of {row.persona}?")
        try:
            publish_version(actor=actor(request), version_id=row.pk)
        except SeanceError as refused:
            self.message_user(request, _wording(refused), messages.ERROR)
        else:
            self.log_change(request, row, "Published.")
            self.message_user(request, f"Version {row.number} comes to new sessions from now on.", messages.SUCCESS)
        return self._back(row)

    def copy(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """A new draft with the content of this version."""
        row = self._row(request, pk, may=self.has_change_permission(request))
        if request.method != "POST":
            return self._ask(request, row, f"Make a new version of version {row.number} of {row.persona}?")
        made = save_draft(actor=actor(request), persona=persona_of(row), note=f"made of version {row.number}")
        self.log_addition(request, made, "Copied.")
        return self._back(made)

    def compare(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """What this version changes in the current one."""
        row = self._row(request, pk, may=self.has_view_permission(request))
        current = row.persona.current
        before = _lines(current) if current else []
        diff = list(difflib.unified_diff(before, _lines(row), "current", f"version {row.number}", lineterm="", n=1))
        context = {
            **self.admin_site.each_context(request), "title": f"Version {row.number} of {row.persona}", "row": row,
            "diff": diff, "opts": self.opts,
        }  # fmt: skip
        return TemplateResponse(request, "admin/sessions_app/personaversion/compare.html", context)

    def export(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The content as JSON, which can be imported again."""
        row = self._row(request, pk, may=self.has_view_permission(request))
        body = msgspec.json.format(msgspec.json.encode(row.content), indent=2)
        name = f"{row.persona.slug}.{row.persona.locale}.{row.number}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(body, content_type="application/json", headers=headers)

    def save_model(self, request: HttpRequest, obj: PersonaVersion, form: Any, change: bool) -> None:
        """Through the service, which numbers and digests it."""
        persona: Persona = form.cleaned_data["persona"]
        made = save_draft(
            actor=actor(request), persona=persona, note=form.cleaned_data["note"], version=obj if change else None
        )
        obj.pk, obj.persona_id, obj.number = made.pk, made.persona_id, made.number
        obj.persona = made.persona
        obj._state.adding = False

    def has_change_permission(self, request: HttpRequest, obj: PersonaVersion | None = None) -> bool:
        is_draft = obj is None or obj.state == VersionState.DRAFT
        return is_draft and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: PersonaVersion | None = None) -> bool:
        """Only a draft: answers name published versions."""
        return obj is not None and obj.state == VersionState.DRAFT and super().has_delete_permission(request, obj)


def _lines(row: PersonaVersion) -> list[str]:
    return msgspec.json.format(msgspec.json.encode(row.content), indent=2).decode().splitlines()


@admin.register(SpiritPersona)
class SpiritPersonaAdmin(SeanceAdmin[SpiritPersona]):
    """Personas: which version each has, and those that are hidden."""

    list_display = ("slug", "locale", "name", "version", "versions_link")
    list_select_related = ("current",)
    search_fields = ("slug", "name")
    ordering = ("slug", "locale")
    fields = ("slug", "locale", "name", "version", "versions_link", "created_at")
    readonly_fields = fields
    actions = ["hide_selected"]

    @admin.display(description="current version")
    def version(self, row: SpiritPersona) -> SafeString | str:
        """The version that new sessions get."""
        return link("personaversion_change", row.current.number, row.current_id) if row.current else "hidden"

    @admin.display(description="versions")
    def versions_link(self, row: SpiritPersona) -> SafeString:
        """All of them."""
        return link("personaversion_changelist", "all versions", persona__id__exact=row.pk)

    @admin.action(description="Hide selected personas", permissions=["change"])
    def hide_selected(self, request: HttpRequest, queryset: QuerySet[SpiritPersona]) -> None:
        """No new session gets them."""
        for row in queryset:
            hide_persona(actor=actor(request), persona_id=row.pk)
            self.log_change(request, row, "Hidden.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A persona comes into being with its first version."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Spending)
class SpendingAdmin(ReadOnlyAdmin[Spending]):
    """What models have cost, by budget and day."""

    list_display = ("day", "scope", "key", "calls", "tokens", "cost_microcents")
    list_filter = ("scope", "day")
    search_fields = ("key",)
    id_lookups = ("key",)
    ordering = ("-day", "scope", "-calls")
    fields = list_display
