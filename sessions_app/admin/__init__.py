"""sessions_app, the admins' room: Django's own admin over the séance. Whatever changes a room goes through a service.

Refresh tokens are not here, and shall not be: nobody may see or make one.
"""

from django.contrib import admin

from sessions_app.admin import audit, log, messages, participants, personas, reports, sessions, turns, users, webhooks
from sessions_app.admin.entrance import LoginForm

admin.site.login_form = LoginForm

__all__ = ["audit", "log", "messages", "participants", "personas", "reports", "sessions", "turns", "users", "webhooks"]
