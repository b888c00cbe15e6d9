"""seance_project: what happens once, when Django is ready."""

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Registers the system checks of the settings, and begins whatever watches."""

    name = "seance_project"
    verbose_name = "Project"

    def ready(self) -> None:
        from django.conf import settings

        from seance_project import checks, telemetry  # noqa: F401  (importing checks registers them)

        telemetry.install(settings.SEANCE)
