"""Tests of the whole: a flood of connection attempts against 127.0.0.1, bounded in time and in number.

`python flood.py PORT PATH PER_SECOND SECONDS KIND` prints how many were made. It refuses any other address by having no
way to name one. KIND: `handshake` asks for a WebSocket and goes away; `hold` asks and stays for two seconds.
"""

from __future__ import annotations

import collections
import errno
import socket
import struct
import sys
import time

MOST_PER_SECOND, MOST_SECONDS = 5_000, 60
LINGER = struct.pack("ii", 1, 0)  # close with a reset: no port is held for a minute


def main() -> None:
    port, path, per_second, seconds, kind = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:5]), sys.argv[5]
    per_second, seconds = min(per_second, MOST_PER_SECOND), min(seconds, MOST_SECONDS)
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    stay = 2.0 if kind == "hold" else 0.02
    held: collections.deque[tuple[float, socket.socket, bool]] = collections.deque()
    began, made, answered, refused = time.monotonic(), 0, 0, 0
    while (now := time.monotonic()) < began + seconds:
        while held and held[0][0] <= now:
            _, link, wrote = held.popleft()
            try:
                if not wrote:
                    link.send(request)
                answered += bool(link.recv(65536))
            except OSError:
                pass
            link.close()
        due = min(int((now - began) * per_second), per_second * seconds)
        if made >= due:
            time.sleep(0.001)
            continue
        link = socket.socket()
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        code = link.connect_ex(("127.0.0.1", port))
        made += 1
        if code not in (0, errno.EINPROGRESS):
            refused += 1
            link.close()
            continue
        wrote = False
        try:
            link.send(request)
            wrote = True
        except OSError:
            pass
        held.append((now + stay, link, wrote))
    print(made, answered, refused, f"{time.monotonic() - began:.1f}")


if __name__ == "__main__":
    main()
