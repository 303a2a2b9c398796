"""`python -m tests.emulators.azureml [FOLDER]`: a stand-in by hand, until it is interrupted."""

import shlex
import signal
import sys
import tempfile
import threading
from pathlib import Path

from tests.emulators.azureml import azureml_standin


def main() -> None:
    """Says what to put into the environment, and serves."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="azureml-stand-in-") as temporary:
        folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else Path(temporary)
        with azureml_standin(folder) as standin:
            own = {
                "SUBSCRIPTION": standin.subscription_id,
                "RESOURCE_GROUP": standin.resource_group,
                "WORKSPACE": standin.workspace_name,
            }
            for name, value in {**standin.environment, **own}.items():
                print(f"export {name}={shlex.quote(value)}", flush=True)
            print("# serving; interrupt to stop", flush=True)
            stop.wait()


if __name__ == "__main__":
    main()
