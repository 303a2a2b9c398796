"""The public names of Azure, and the proxy that leads them to this machine.

Clients keep the addresses that they use in production, TLS included: `HTTPS_PROXY` sends their connections here, and the
proxy passes them on to the stand-in or to Azurite. A name that the stand-in does not play is refused, and recorded.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress

ACCOUNT = "globolatte"
REGION = "westeurope"
MANAGEMENT = "management.azure.com"
LOGIN = "login.microsoftonline.com"
BLOB = f"{ACCOUNT}.blob.core.windows.net"
INFERENCE = f"{REGION}.inference.ml.azure.com"
WORKSPACE_API = f"{REGION}.api.azureml.ms"
REGISTRY_API = "eastus.api.azureml.ms"
"""Where the SDK looks up the home of a registry."""

CERTIFIED = (MANAGEMENT, LOGIN, BLOB, "*.api.azureml.ms", f"*.{INFERENCE}", "localhost")
"""The names that the certificate is made out to."""

_REQUEST = re.compile(rb"CONNECT ([^: ]+):(\d+) HTTP/1\.[01]\r\n")


def plays(host: str) -> bool:
    """Whether the stand-in answers for a host."""
    return host in (MANAGEMENT, LOGIN) or host.endswith((".api.azureml.ms", f".{INFERENCE}"))


class Proxy:
    """An HTTPS proxy that knows two destinations. `refused` is called with every other host."""

    def __init__(self, standin_port: int, blob_port: int, refused: Callable[[str], None]) -> None:
        self.standin_port, self.blob_port, self.refused = standin_port, blob_port, refused
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listens on a free port of the loopback address."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Takes no more connections."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            matched = _REQUEST.match(head)
            host = matched[1].decode().lower() if matched else head[:80].decode(errors="replace")
            port = self._port_of(host) if matched else None
            if port is None:
                self.refused(host)
                writer.write(b"HTTP/1.1 502 Not played by the stand-in\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                return
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    def _port_of(self, host: str) -> int | None:
        if host == BLOB:
            return self.blob_port
        return self.standin_port if plays(host) else None


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    with suppress(ConnectionError, RuntimeError):
        target.close()
