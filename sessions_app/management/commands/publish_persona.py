"""sessions_app, commands: `manage.py publish_persona`."""

from argparse import ArgumentParser
from typing import Any

from sessions_app.management.base import Refused, SeanceCommand
from sessions_app.management.operator import operator
from sessions_app.models import PersonaVersion
from sessions_app.services.personas import hide_persona, publish_version


class Command(SeanceCommand):
    """Publishes a version that passes its probes; an older one comes back the same way."""

    help = "Publish a version of a persona (the newest, unless --number names one), or hide the persona."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", metavar="SLUG", help="the name in URLs, such as the-spirit")
        parser.add_argument("--locale", default="en", help="default en")
        parser.add_argument("--number", type=int, metavar="N", help="which version; also an older one")
        parser.add_argument("--hide", action="store_true", help="let no new session have it")
        self.add_json(parser)

    def handle(self, *_: Any, slug: str, locale: str, number: int | None, hide: bool, as_json: bool, **__: Any) -> None:
        rows = PersonaVersion.objects.filter(persona__slug=slug, persona__locale=locale).order_by("-number")
        version = (rows if number is None else rows.filter(number=number)).first()
        if version is None:
            raise Refused(f"There is no such version of {slug} ({locale}).")
        told: dict[str, object] = {"persona": str(version.persona)}
        if hide:
            hide_persona(actor=operator(), persona_id=version.persona_id)
            told["state"] = "hidden"
        else:
            version = publish_version(actor=operator(), version_id=version.id)
            told |= {"state": version.state, "version": version.number, "digest": version.digest}
        if as_json:
            self.show_json(told)
        else:
            self.show_pairs(list(told.items()))
