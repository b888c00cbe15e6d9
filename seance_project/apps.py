"""seance_project: what happens once, when Django is ready."""

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Registers the system checks of the settings, and the log of SQL statements."""

    name = "seance_project"
    verbose_name = "Project"

    def ready(self) -> None:
        from seance_project import checks, sql_log  # noqa: F401  (importing checks registers them)

        sql_log.install()
