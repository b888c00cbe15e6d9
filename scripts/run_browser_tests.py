"""Run the tests of the page at /board in a headless Chromium. Arguments go to pytest.

It needs Chromium (CHROMIUM says where, if it is not on the PATH) and, for the accessibility rules, Node's npm. Where
they are missing it says so and ends with 0; with REQUIRE_SERVICES=1 or CI set, with 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.run_tests import NO_TESTS, ROOT, run  # noqa: E402

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
AXE = ROOT / "clients" / "board" / "node_modules" / "axe-core" / "axe.min.js"


def chromium() -> str | None:
    """Where Chromium is."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def missing() -> list[str]:
    """What is not here, each with the way to get it."""
    lines = []
    if not chromium():
        lines.append("Chromium: on Debian `apt-get install chromium`; elsewhere let CHROMIUM name the program.")
    if not AXE.exists() and not shutil.which("npm"):
        lines.append("axe-core, the accessibility rules: `npm ci` in clients/board, which needs Node.js 20.")
    return lines


def main() -> int:
    """0 where every test passed, or where there is no browser and none is demanded."""
    if lines := missing():
        print("The browser tests did not run. Missing:", *lines, sep="\n  ", file=sys.stderr)
        return 1 if os.environ.get("REQUIRE_SERVICES") == "1" or os.environ.get("CI") else 0
    if not AXE.exists():
        npm = shutil.which("npm") or "npm"
        subprocess.run([npm, "ci"], cwd=AXE.parents[2], check=True)  # noqa: S603
    os.environ["CHROMIUM"] = str(Path(chromium() or "").resolve())
    given = sys.argv[1:]
    is_chosen = any((ROOT / argument.partition("::")[0]).exists() for argument in given)
    chosen = given if is_chosen else ["tests/browser", "-m", "not long", *given]
    code = run("In Chromium: SQLite, one process", {}, chosen)
    return 0 if code == NO_TESTS else code


if __name__ == "__main__":
    sys.exit(main())
