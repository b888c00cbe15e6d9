"""sessions_app, commands: `manage.py issue_token`."""

from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from sessions_app.errors import Code, SeanceError
from sessions_app.management.base import SeanceCommand, whole_number
from sessions_app.management.operator import find_user, operator
from sessions_app.models import Act
from sessions_app.security import verify_token
from sessions_app.selectors.shapes import user_data
from sessions_app.services.accounts import access_token, create_guest
from sessions_app.services.audit import record


class Command(SeanceCommand):
    """Prints an access token, and nothing else, so that it can be put into a variable."""

    help = "Print an access token of a user, or with --guest of a fresh guest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", nargs="?", metavar="USER_ID_OR_EMAIL", help="whose token it is")
        parser.add_argument("--guest", metavar="NAME", help="make a guest of this name, and print its token")
        parser.add_argument(
            "--minutes",
            type=whole_number(1, 1440),
            default=settings.SEANCE.access_token_expire_minutes,
            metavar="N",
            help="how long it is good for, 1–1440 (default ACCESS_TOKEN_EXPIRE_MINUTES)",
        )
        self.add_json(parser)

    def handle(self, *_: Any, user: str | None, guest: str | None, minutes: int, as_json: bool, **__: Any) -> None:
        if (user is None) == (guest is None):
            raise CommandError("Give either USER_ID_OR_EMAIL or --guest NAME.", returncode=2)
        owner = create_guest(name=guest) if user is None else find_user(user)
        if not owner.is_active:
            raise SeanceError(Code.FORBIDDEN, "This user is banned.")
        if user is not None:  # whoever holds it speaks as somebody else
            record(Act.ISSUE_TOKEN, actor=operator(), target=owner.id, minutes=minutes)
        token = access_token(owner, lifetime=timedelta(minutes=minutes))
        if as_json:
            expires_at = datetime.fromtimestamp(verify_token(token).expires_at, UTC)
            self.show_json({"access": token, "expires_at": expires_at, "user": user_data(owner)})
            return
        self.stdout.write(token)
