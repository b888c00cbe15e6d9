"""seance_project: `manage.py doctor`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from seance_project.doctor import report
from seance_project.doctor.findings import visit
from sessions_app.management.base import SeanceCommand
from sessions_app.management.progress import progress


class Command(SeanceCommand):
    """Looks at everything, and changes nothing; exit code 1 where something is wrong, 0 with warnings alone."""

    help = "Look at settings, machine, packages, database, Redis and whatever else is configured; say what to do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_json(parser)

    def handle(self, *_: Any, as_json: bool, **__: Any) -> None:
        with progress(self.stderr, "Looking", color=self._color):
            found = list(visit(settings.SEANCE, report.checks()))
        self.stdout.write((report.as_json if as_json else report.as_text)(found))
        if not report.is_well(found):
            sys.exit(1)
