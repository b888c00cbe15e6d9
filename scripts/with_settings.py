"""Run a command in settings of its own, whatever the shell or `.env` says: `with_settings.py production manage.py …`"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TERM", "VIRTUAL_ENV", "CI", "NO_COLOR", "TMPDIR")


def environment(kind: str, var_dir: str) -> dict[str, str]:
    """A clean environment, complete for development or production."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    clean = kept | {"ENVIRONMENT": kind, "VAR_DIR": var_dir, "ENV_FILE": os.devnull, "SPIRIT_ALLOW_NETWORK": "false"}
    if kind == "production":
        clean |= {
            "SECRET_KEY": secrets.token_urlsafe(64),
            "JWT_SECRET": secrets.token_urlsafe(64),
            "ALLOWED_HOSTS": "seance.example",
            "EMAIL_URL": "smtp://mail.example",
        }
    return clean


def main() -> int:
    """The exit code of the command."""
    kind, *command = sys.argv[1:]
    if command[0].endswith(".py"):
        command = [sys.executable, *command]
    with tempfile.TemporaryDirectory(prefix="seance-") as var_dir:
        return subprocess.run(command, env=environment(kind, var_dir), check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
