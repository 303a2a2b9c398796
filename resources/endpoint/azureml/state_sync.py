"""Runs inside a deployment: downloads customer states from the workspace's storage, and uploads the prediction log.

This file is copied into the deployment's folder and stands alone: it imports nothing of this project. It authenticates by the
endpoint's own identity, which needs the role 'Storage Blob Data Contributor'.
"""

import logging
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

URL_VARIABLE = "GLOBOLATTE_STATE_URL"
POINTER_VARIABLE = "GLOBOLATTE_STATE_POINTER"
LOG_VARIABLE = "GLOBOLATTE_PREDICTION_LOG"
SECONDS_VARIABLE = "GLOBOLATTE_STATE_SECONDS"
STATES = "globolatte/serving/states"
POINTER = "globolatte/serving/current_state"
LOG = "globolatte/serving/prediction_log"
RETAINED_STATES = 2

logger = logging.getLogger("azmlinfsrv.globolatte")


def begin(bundled: Path) -> None:
    """Puts the bundled state where it can be replaced, and follows the storage from then on if the environment names one."""
    url = os.environ.get(URL_VARIABLE)
    if not url:
        os.environ.setdefault(POINTER_VARIABLE, str(bundled / "current_state"))
        return
    folder = Path(tempfile.mkdtemp(prefix="globolatte-serving-"))
    shutil.copytree(bundled, folder, dirs_exist_ok=True)
    os.environ[POINTER_VARIABLE] = str(folder / "current_state")
    os.environ[LOG_VARIABLE] = str(folder / "prediction_log")
    sync = StateSync(url, folder)
    sync.look()  # the bundled state may be days old
    seconds = float(os.environ.get(SECONDS_VARIABLE, "30"))
    threading.Thread(target=sync.follow, args=(seconds,), name="state-sync", daemon=True).start()


class StateSync:
    """One deployment's folder and the container at `url`."""

    def __init__(self, url: str, folder: Path) -> None:
        from azure.identity import DefaultAzureCredential
        from azure.storage.blob import ContainerClient

        client_id = os.environ.get("UAI_CLIENT_ID")  # how Azure ML names an identity given to an endpoint by its user
        credential = DefaultAzureCredential(**({"managed_identity_client_id": client_id} if client_id else {}))
        self._container = ContainerClient.from_container_url(url, credential=credential)
        self._folder = folder

    def follow(self, seconds: float) -> None:
        """Synchronizes repeatedly, for as long as the process lives."""
        pause = threading.Event()
        while not pause.wait(seconds):
            self.look()

    def look(self) -> None:
        """Fetches a newer state and uploads finished log files. Faults are logged, and it is tried again the next time."""
        try:
            self._fetch_state()
            self._hand_on_logs()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the storage, the deployment goes on answering
            logger.warning("the workspace's storage cannot be reached: %s", error)

    def _fetch_state(self) -> None:
        pointer, states = self._folder / "current_state", self._folder / "states"
        version = self._read(POINTER).decode().strip()
        if not version or version == pointer.read_text(encoding="utf-8").strip():
            return
        target = states / version
        if not target.is_dir():
            new = states / f".{version}.new"
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            for name in self._container.list_blob_names(name_starts_with=f"{STATES}/{version}/"):
                (new / str(name).rpartition("/")[2]).write_bytes(self._read(str(name)))
            new.rename(target)
        replacement = pointer.with_suffix(".new")
        replacement.write_text(version, encoding="utf-8")
        replacement.replace(pointer)
        older = sorted((one for one in states.iterdir() if one != target), key=lambda one: one.stat().st_mtime)
        for one in older[: -RETAINED_STATES + 1 or None]:
            shutil.rmtree(one, ignore_errors=True)

    def _hand_on_logs(self) -> None:
        for file in sorted((self._folder / "prediction_log").glob("*.jsonl")):
            with file.open("rb") as stream:
                self._container.upload_blob(f"{LOG}/{file.name}", stream, overwrite=True)
            file.unlink()

    def _read(self, name: str) -> bytes:
        content: Any = self._container.download_blob(name).readall()
        return bytes(content)
