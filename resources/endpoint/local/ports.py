"""The gateway's port: the URL stays the same, also after another program had the port for a while.

The supervisor holds the sockets, so that callers wait instead of being refused while the gateway starts again.
"""

import socket
import time
from collections.abc import Sequence
from typing import Any

from resources.endpoint.endpoint import EndpointError
from resources.endpoint.local.files import EndpointFiles, read_json, write_json
from resources.endpoint.local.processes import listen

TRY_AGAIN_SECONDS = 5.0


class Ports:
    """The listening sockets. `port`: of the setting, else the port that this folder remembers, else a free one.

    `inherited`: sockets that listen already, of the gateway that an earlier supervisor started.

    A port that another program has is taken back as soon as it is free; the one used meanwhile goes on answering until the end. Raises
    `EndpointError` if the port of the setting cannot be used.
    """

    def __init__(self, files: EndpointFiles, port: int | None, inherited: Sequence[socket.socket] = ()) -> None:
        self._files, self._try_at, self._is_own = files, time.monotonic() + TRY_AGAIN_SECONDS, True
        self._usual = port or self._remembered()
        try:
            self.listeners = [*inherited] or [listen(self._usual)]
        except OSError as error:
            if port is not None:
                raise EndpointError(
                    f"port {port} of GLOBOLATTE_ENDPOINT_PORT cannot be used ({error}); choose another, or leave it out for a free one"
                ) from error
            self.listeners = [listen(None)]
            if not self._is_own:  # the home that this one is a copy of may go on using it
                self._usual = None
        if port is None and (self._usual is None or not self._is_own):
            self._usual = self.port
            write_json(files.port, {"port": self.port, "folder": str(files.folder)})

    @property
    def port(self) -> int:
        """The port of the URL."""
        return int(self.listeners[0].getsockname()[1])

    @property
    def note(self) -> str:
        """That the usual port is taken; empty if it is not."""
        if self._usual == self.port:
            return ""
        return f"port {self._usual}, its usual one, is taken by another program; it answers on port {self.port} until that one is free"

    def take_back(self) -> bool:
        """Tries from time to time to listen on the usual port too; returns whether that has just become possible."""
        if self._usual == self.port or time.monotonic() < self._try_at:
            return False
        self._try_at = time.monotonic() + TRY_AGAIN_SECONDS
        try:
            self.listeners.insert(0, listen(self._usual))
        except OSError:  # still taken
            return False
        return True

    def close(self) -> None:
        """Ends listening."""
        for listener in self.listeners:
            listener.close()

    def _remembered(self) -> int | None:
        remembered: Any = read_json(self._files.port)
        self._is_own = isinstance(remembered, int)  # as an earlier version wrote it
        if isinstance(remembered, dict):
            self._is_own, remembered = remembered.get("folder") == str(self._files.folder), remembered.get("port")
        return remembered if isinstance(remembered, int) else None


def sockets(descriptors: str) -> list[socket.socket]:
    """The sockets that a process inherited, named by their descriptors."""
    return [socket.socket(fileno=int(one)) for one in descriptors.split(",") if one]
