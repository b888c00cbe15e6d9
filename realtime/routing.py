"""realtime, which URL is which consumer; with and without a trailing slash."""

from django.urls import re_path

from realtime.consumers import SeanceConsumer

websocket_urlpatterns = [re_path(r"^ws/(?P<session_id>[^/]+)/?$", SeanceConsumer.as_asgi())]
