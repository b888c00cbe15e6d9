"""sessions_app, the séance: nouns, rules and the REST door."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


def enter_personas(using: str, **_: Any) -> None:
    """After every migration: what comes with the release is in the tables."""
    from sessions_app.services.personas import enter_bundled  # models are not there before

    if using == "default" and "persona_versions" in connections[using].introspection.table_names():
        enter_bundled()


class SessionsAppConfig(AppConfig):
    """Registers the models, the admin and the system checks."""

    name = "sessions_app"
    verbose_name = "Séance"

    def ready(self) -> None:
        post_migrate.connect(enter_personas, sender=self, dispatch_uid="enter_personas")
