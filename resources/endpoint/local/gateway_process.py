"""The gateway's process: uvicorn on the supervisor's socket, and a watch over the supervisor."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import uvicorn

from resources.endpoint.local.files import MARK_VARIABLE, EndpointFiles, endpoint_key
from resources.endpoint.local.gateway import Gateway


async def revive(files: EndpointFiles, supervisor: int, arguments: list[str]) -> None:
    """Starts another supervisor if ours was killed. It will end this process and start everything afresh."""
    while True:
        await asyncio.sleep(0.5)
        if os.getppid() != supervisor and not files.stopped.exists():
            environment = {name: value for name, value in os.environ.items() if name != MARK_VARIABLE}
            command = [sys.executable, "-m", "resources.endpoint.local.supervisor", *arguments]
            with files.log("supervisor").open("ab") as log:
                subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            await asyncio.sleep(30)


def main() -> None:
    """`python -m resources.endpoint.local.gateway_process FOLDER DESCRIPTOR SUPERVISOR_PID ARGUMENT...`."""
    folder, descriptor, supervisor, *arguments = sys.argv[1:]
    files = EndpointFiles(Path(folder))
    listener = socket.socket(fileno=int(descriptor))
    config = uvicorn.Config(
        Gateway(files, endpoint_key(files)),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=15,
    )

    async def serve() -> None:
        watching = asyncio.create_task(revive(files, int(supervisor), arguments))
        await uvicorn.Server(config).serve(sockets=[listener])
        watching.cancel()

    if sys.platform == "win32":
        raise SystemExit("the endpoint needs a system with process groups; use Linux, macOS or WSL")
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
