"""sessions_app, commands: `manage.py create_session`."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.db import transaction

from sessions_app.inputs import CreateSession, read
from sessions_app.management.addresses import address_of
from sessions_app.management.base import SeanceCommand, whole_number
from sessions_app.management.operator import find_user
from sessions_app.models import Access, Mode, Pace
from sessions_app.services.accounts import access_token, create_guest
from sessions_app.services.sessions import create_session


class Command(SeanceCommand):
    """Opens a session for an account, or for a fresh guest whose token is then printed."""

    help = "Open a session. Without --host a fresh guest is its host, and the guest's access token is printed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what the session is called, 1–100 characters")
        highest = settings.SEANCE.max_users_limit
        parser.add_argument(
            "--max-users", type=whole_number(2, highest), metavar="N", help=f"seats, 2–{highest} (default 6)"
        )
        parser.add_argument("--access", choices=Access.values, help="who may know of it (default open)")
        parser.add_argument("--listed", action="store_true", help="put it on the public list")
        parser.add_argument("--mode", choices=Mode.values, help="when the spirit answers (default open)")
        parser.add_argument("--pace", choices=Pace.values, help="how fast the planchette moves (default ritual)")
        parser.add_argument("--persona", metavar="SLUG", help="which spirit comes (default the-spirit)")
        parser.add_argument("--host", metavar="EMAIL_OR_ID", help="whose session it is")
        self.add_json(parser)

    def handle(self, *_: Any, as_json: bool, host: str | None, **options: Any) -> None:
        spirit = {key: options[key] for key in ("mode", "pace", "persona") if options[key] is not None}
        body = {key: options[key] for key in ("name", "max_users", "access") if options[key] is not None}
        values = read(CreateSession, {**body, "is_listed": options["listed"], **({"spirit": spirit} if spirit else {})})
        with transaction.atomic():
            # The operator opens sessions for guests even where guests may not do so themselves.
            owner = find_user(host) if host else create_guest(name="Host")
            session, _owner, _fresh = create_session(actor=owner, values=values)
        token = None if host else access_token(owner)
        urls = address_of(session.id)
        if as_json:
            told = {"session": session, "urls": urls._asdict(), "host_token": token}
            self.show_json(told)
            return
        pairs: list[tuple[str, object]] = [("id", session.id), ("name", session.name)]
        pairs += [("rest", urls.rest), ("socket", urls.socket), ("host", owner)]
        if token:
            pairs.append((f"token ({settings.SEANCE.access_token_expire_minutes} min)", token))
        self.show_pairs(pairs)
