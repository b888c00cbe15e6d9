"""sessions_app, commands: `manage.py export_persona`."""

from argparse import ArgumentParser
from typing import Any

from sessions_app.management.base import Refused, SeanceCommand
from sessions_app.models import PersonaVersion
from sessions_app.services.personas import content_of, persona_of
from sessions_app.spirits.persona_import import to_card

FORMS = {"card-v2": "chara_card_v2", "card-v3": "chara_card_v3"}


class Command(SeanceCommand):
    """Prints a version as JSON: whole, or as a character card."""

    help = "Export a persona as JSON, which import_persona reads again, or as a character card."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", metavar="SLUG", help="the name in URLs, such as the-spirit")
        parser.add_argument("--locale", default="en", help="default en")
        parser.add_argument("--number", type=int, metavar="N", help="which version (default: the current one)")
        parser.add_argument(
            "--format", choices=["json", *FORMS], default="json", dest="form", help="the kind of file (default json)"
        )
        parser.add_argument("--json", action="store_const", const="json", dest="form", help="the same as --format json")

    def handle(self, *_: Any, slug: str, locale: str, number: int | None, form: str, **__: Any) -> None:
        rows = PersonaVersion.objects.filter(persona__slug=slug, persona__locale=locale)
        rows = rows.filter(current_of__isnull=False) if number is None else rows.filter(number=number)
        version = rows.first()
        if version is None:
            raise Refused(f"There is no such version of {slug} ({locale}).")
        persona = persona_of(version)
        self.show_json(content_of(persona) if form == "json" else to_card(persona, spec=FORMS[form]))
