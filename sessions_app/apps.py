"""sessions_app, the séance: nouns, rules and the REST door."""

from django.apps import AppConfig


class SessionsAppConfig(AppConfig):
    """Registers the models, the admin and the system checks."""

    name = "sessions_app"
    verbose_name = "Séance"
