"""Starts `azmlinfsrv` on a socket that it inherits, and becomes it.

Its own options let it listen on every address of the machine; gunicorn, on which it runs, takes a listening socket by the
systemd protocol instead. The socket is bound to the loopback address by the supervisor, which also means that no
port can be taken by another between choosing and listening.
"""

import os
import sys
from pathlib import Path

FIRST_INHERITED = 3
"""The descriptor at which the protocol expects the first socket."""


def main() -> None:
    """`python -m resources.endpoint.local.inference_server DESCRIPTOR OPTION...`; the options are azmlinfsrv's."""
    descriptor, *options = sys.argv[1:]
    os.dup2(int(descriptor), FIRST_INHERITED, inheritable=True)
    environment = {**os.environ, "LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    server = str(Path(sys.executable).with_name("azmlinfsrv"))
    os.execve(server, [server, *options], environment)  # noqa: S606


if __name__ == "__main__":
    main()
