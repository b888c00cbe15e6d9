"""seance_project: is this container's server alive? `python -m seance_project.healthcheck` ends with 0 or 1."""

from __future__ import annotations

import http.client
import sys

from seance_project import env


def alive(settings: env.Env, timeout: float = 2.5) -> bool:
    """Whether `/health/live` answers 200 to one of the host names that the server goes by."""
    name = next(iter(settings.allowed_hosts), "localhost").removeprefix(".").replace("*", "localhost")
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  compared, not bound
    connection = http.client.HTTPConnection(address, settings.port, timeout=timeout)
    try:
        connection.request("GET", "/health/live", headers={"Host": name})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    with env.one_line_refusal():
        loaded = env.load()
    sys.exit(0 if alive(loaded) else 1)
