"""sessions_app, commands: `manage.py import_persona`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from sessions_app.management.base import Refused, SeanceCommand
from sessions_app.management.operator import operator
from sessions_app.services.personas import probe, save_draft
from sessions_app.spirits.persona_import import MAX_BYTES, PersonaImportError, read_persona


class Command(SeanceCommand):
    """Makes a draft of a file, and shows what its probes say; nothing is published by it."""

    help = "Import a persona as a draft: Kiro steering Markdown, a character card V2 or V3, or exported JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="what to read")
        parser.add_argument("--locale", default="en", help="its language, where the file does not say (default en)")
        self.add_json(parser)

    def handle(self, *_: Any, file: Path, locale: str, as_json: bool, **__: Any) -> None:
        try:
            with file.open("rb") as opened:
                raw = opened.read(MAX_BYTES + 1)  # a file of any size costs no more than the limit
            persona = read_persona(raw, locale=locale)
        except OSError as error:
            raise Refused(f"{file} cannot be read ({type(error).__name__}).") from None
        except PersonaImportError as error:
            raise Refused(f"{file}: {error}") from None
        version = save_draft(actor=operator(), persona=persona, note=f"imported from {file.name}")
        problems = [one for one in probe(version) if one.problem]
        said = {"persona": str(version.persona), "version": version.number, "digest": version.digest}
        if as_json:
            self.show_json({**said, "problems": problems})
            return
        self.show_pairs([*said.items(), ("state", version.state), ("probes failed", len(problems))])
        if problems:
            self.show_table(("question", "problem"), [(one.question, one.problem) for one in problems])
