"""A relay between a client and a server of this machine: something can be made to happen when so many bytes came back."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Relays connections to `port`. Calls `happens`, once, before it passes on the byte number `after_bytes` of the answers."""

    def __init__(self, port: int, after_bytes: int, happens: Callable[[], object]) -> None:
        self.port, self.left, self.happens = port, after_bytes, happens
        self.happened = False
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.own_port = int(self._listener.getsockname()[1])

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
                threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if answers:
                    self._count(len(data))
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _count(self, size: int) -> None:
        with self._lock:
            self.left -= size
            if self.left <= 0 and not self.happened:
                self.happened = True
                self.happens()

    def close(self) -> None:
        self._listener.close()


@contextmanager
def relay(port: int, after_bytes: int, happens: Callable[[], object]) -> Iterator[Relay]:
    """A running relay."""
    between = Relay(port, after_bytes, happens)
    threading.Thread(target=between.serve, daemon=True).start()
    try:
        yield between
    finally:
        between.close()
