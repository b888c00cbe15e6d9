"""Tests of the documentation: the guide to front ends shows the files of the example as they are."""

from tests.docs.pages import ROOT, blocks

GUIDE = ROOT / "docs" / "frontend.md"
EXAMPLE = ROOT / "clients" / "typescript" / "examples" / "nextjs"


def test_the_guide_shows_the_example_word_for_word() -> None:
    shown = {}
    for block in blocks(GUIDE):
        head, _, text = block.text.partition("\n")
        if head.startswith("// "):
            shown[head.removeprefix("// ")] = text

    assert {name: (EXAMPLE / name).read_text(encoding="utf-8") for name in shown} == shown
    assert "app/rooms/[id]/SeanceRoom.tsx" in shown
