"""sessions_app, the séance: nouns, rules and the REST door."""

from typing import Any

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.db import connections
from django.db.models.signals import post_migrate


def enter_what_comes_with_us(using: str, **_: Any) -> None:
    """After every migration: what comes with the release is in the tables."""
    from sessions_app.roles import enter_readers  # models are not there before
    from sessions_app.services.personas import enter_bundled

    if using == "default" and "persona_versions" in connections[using].introspection.table_names():
        enter_bundled()
        enter_readers()


class SessionsAppConfig(AppConfig):
    """Registers the models, the admin and the system checks."""

    name = "sessions_app"
    default = True
    verbose_name = "Séance"

    def ready(self) -> None:
        post_migrate.connect(enter_what_comes_with_us, sender=self, dispatch_uid="enter_what_comes_with_us")


class SeanceAdminConfig(admin_apps.AdminConfig):
    """Django's admin, with our site."""

    default = False
    default_site = "sessions_app.admin_site.SeanceSite"
