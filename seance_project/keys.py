"""seance_project: the keys of a development machine, made once and kept in `VAR_DIR`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from tempfile import mkstemp

from msgspec.structs import replace

from seance_project.env import Env, EnvError
from seance_project.refusals import MIN_KEY_BYTES


def complete(env: Env) -> Env:
    """The environment with the keys that development may leave out. Production never gets here without them."""
    if env.is_production and env.database_url:
        return env  # nothing of its own to keep: the file system may be read-only
    try:
        env.var.mkdir(mode=0o700, parents=True, exist_ok=True)
        return replace(
            env,
            secret_key=env.secret_key or _kept(env.var / "secret_key"),
            jwt_secret=env.jwt_secret or _kept(env.var / "jwt_secret"),
        )
    except OSError as error:
        raise EnvError("VAR_DIR", f"must be a folder that can be written ({error.strerror})") from None


def _kept(path: Path) -> str:
    """The key in a file, which is made where it is missing.

    Two processes may start at once. Each writes a complete file of its own and links it to the name, which only one
    can; so nobody ever reads half a key, and both read the same one.
    """
    if not path.exists():
        handle, made = mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mkstemp gives mode 0600
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(64))
            try:
                os.link(made, path)
            except FileExistsError:
                pass
        finally:
            os.unlink(made)
    key = path.read_text(encoding="ascii", errors="replace").strip()
    if len(key.encode()) < MIN_KEY_BYTES:
        raise EnvError(
            path.name.upper(), f"the key kept in VAR_DIR is shorter than {MIN_KEY_BYTES} bytes; delete the file"
        )
    return key
