"""sessions_app/api, the REST door: the personas that may come, and the board they spell on."""

from django.http import HttpResponse
from rest_framework.request import Request

from sessions_app.api.base import Door
from sessions_app.api.envelope import answer, whole
from sessions_app.api.openapi import enveloped, operation, parameter
from sessions_app.api.shapes import PageMeta, SpiritCard
from sessions_app.errors import Code, SeanceError
from sessions_app.selectors.personas import published
from sessions_app.spirits.layouts import Layout, UnknownLayout, get_layout

STATEMENT = (
    "The spirit is no person: its answers are made by a program, by default a rule engine with a word list, and by a "
    "language model where the operator has set one up. They are entertainment, not advice."
)
LIST = enveloped("SpiritsAnswer", list[SpiritCard], PageMeta)
ONE = enveloped("SpiritAnswer", SpiritCard)
BOARD = enveloped("LayoutAnswer", Layout)


def cards() -> list[SpiritCard]:
    """Every published persona in its current version, the default first."""
    return [
        SpiritCard(one.slug, one.name, one.version, one.locale, one.summary, one.audience, digest, True, STATEMENT)
        for one, digest in published()
    ]


class Spirits(Door):
    """`/api/spirits` and one of them."""

    @operation("listSpirits", "spirits", "List the personas", answers={200: LIST})
    def list(self, request: Request) -> HttpResponse:
        """Every published persona; one that speaks several languages stands there once for each."""
        return whole(cards())

    @operation(
        "getSpirit", "spirits", "Read a persona", answers={200: ONE}, errors=[Code.NOT_FOUND],
        parameters=[parameter("slug", {"type": "string"}, "The persona's name in addresses.", place="path")],
    )  # fmt: skip
    def retrieve(self, request: Request, slug: str) -> HttpResponse:
        """A persona; of several languages English comes first."""
        found = sorted((card for card in cards() if card.slug == slug), key=lambda card: card.locale != "en")
        if not found:
            raise SeanceError(Code.NOT_FOUND)
        return answer(found[0])


class Layouts(Door):
    """`/api/board/layouts/{layout_id}`."""

    @operation(
        "getLayout", "spirits", "Read a board's coordinates", answers={200: BOARD}, errors=[Code.NOT_FOUND],
        parameters=[parameter("layout_id", {"type": "string"}, "Such as `classic-en@1`.", place="path")],
    )  # fmt: skip
    def retrieve(self, request: Request, layout_id: str) -> HttpResponse:
        """Where each letter and word stands, in units of the board; a version of a board never changes."""
        try:
            return answer(get_layout(layout_id))
        except UnknownLayout:
            raise SeanceError(Code.NOT_FOUND) from None
