"""seance_project: `manage.py runserver`, daphne with reload, for development."""

from __future__ import annotations

from typing import Any

from daphne.management.commands.runserver import Command as DaphneRunserver
from django.conf import settings
from django.core.management.base import CommandError

from seance_project import lock


class Command(DaphneRunserver):
    """Daphne's, on our HOST and PORT, and never beside another server of the same embedded database."""

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.SEANCE.is_production:
            raise CommandError("runserver is for development; in production use `python manage.py serve`.")
        self.default_addr, self.default_port = settings.SEANCE.host, str(settings.SEANCE.port)
        super().handle(*args, **options)

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Runs in the reloader's child, which is the process that serves and that a reload replaces."""
        try:
            lock.hold_if_embedded(settings.SEANCE)
        except lock.AlreadyServed as error:
            raise CommandError(str(error)) from None
        super().inner_run(*args, **options)
