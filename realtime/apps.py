"""realtime, the WebSocket door: connections, delivery, presence."""

from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    """A room without models: it reads and writes through sessions_app's services."""

    name = "realtime"
