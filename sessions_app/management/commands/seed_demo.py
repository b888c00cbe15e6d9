"""sessions_app, commands: `manage.py seed_demo`, run by each `make run`."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.db import transaction

from sessions_app import events
from sessions_app.inputs import CreateSession
from sessions_app.management.addresses import address_of
from sessions_app.management.base import SeanceCommand
from sessions_app.models import Session, User
from sessions_app.selectors.sessions import taken_seats
from sessions_app.selectors.shapes import session_data
from sessions_app.services.sessions import create_session

NAME = "A first séance"
# The marker: whatever this guest hosts is the demo. Nobody else can ever get the id: others are random or derived.
DEMO_HOST_ID = UUID("5ea0ce00-0000-8000-8000-000000000001")
DEMO_HOST_NAME = "The medium"


class Command(SeanceCommand):
    """Sees to it that there is one open demo session; a second run finds the first one's."""

    help = "Open the demo session, unless it is open already; print its id and URLs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        self.add_json(parser)

    def handle(self, *_: Any, as_json: bool, **__: Any) -> None:
        session, created = demo_session()
        urls = address_of(session.id)
        if as_json:
            self.show_json({"session": session, "urls": urls._asdict(), "created": created})
            return
        self.show_pairs([("demo", session.name), ("id", session.id), ("rest", urls.rest), ("socket", urls.socket)])


@transaction.atomic
def demo_session() -> tuple[events.SessionData, bool]:
    """The demo session, and whether it is new."""
    User.objects.bulk_create(
        [User(id=DEMO_HOST_ID, name=DEMO_HOST_NAME, is_guest=True, joined_at=events.now())], ignore_conflicts=True
    )
    # The host's row is the lock, so that two starts at once make one session.
    host = User.objects.select_for_update().get(pk=DEMO_HOST_ID)
    row = Session.objects.filter(host=host, is_active=True).order_by("created_at").first()
    if row is not None:
        return session_data(row, taken_seats(row.id)), False
    session, _host, _fresh = create_session(actor=host, values=CreateSession(name=NAME, is_listed=True, access="open"))
    return session, True
