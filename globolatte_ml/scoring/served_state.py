"""The scorer that an endpoint answers with, kept up to date with the published customer states.

Beside the pointer file lies `states/<version>/`; the pointer holds the version. It is looked at every `CHECK_SECONDS` by a
thread of its own, which loads a new state while requests are answered from the old one.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.scorer import Scorer
from globolatte_ml.scoring.state_bundle import read_state_bundle

CHECK_SECONDS = 1.0

logger = logging.getLogger("azmlinfsrv.globolatte")


class StateFollower:
    """Holds the current scorer and replaces it when the pointer names another state.

    An unreadable new state leaves the old one in place; `error` says why until a readable one comes.
    """

    def __init__(self, model: PreferenceModel, model_version: str | None, pointer: Path) -> None:
        self._model, self._model_version, self._pointer = model, model_version, pointer
        self._version = self._named()
        self.current = self._read(self._version)
        self.error: str | None = None

    def follow(self) -> None:
        """Starts looking at the pointer, for as long as the process lives."""
        threading.Thread(target=self._look_for_ever, name="state-follower", daemon=True).start()

    def refresh(self) -> bool:
        """Looks once; true if another state is served from now on."""
        version = None
        try:
            version = self._named()
            if version == self._version:
                return False
            self.current = self._read(version)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a new state, the old one goes on serving
            message = f"state {version or 'pointer'} cannot be read ({error}); {self._version} stays in service"
            if message != self.error:
                logger.error(message)  # noqa: TRY400 - the message says it all; it is looked at again every second
            self.error = message
            return False
        logger.info("state %s replaces %s", version, self._version)
        self._version, self.error = version, None
        return True

    def _named(self) -> str:
        return self._pointer.read_text(encoding="utf-8").strip()

    def _read(self, version: str) -> Scorer:
        bundle = read_state_bundle(self._pointer.parent / "states" / version)
        return Scorer(self._model, bundle, self._model_version)

    def _look_for_ever(self) -> None:
        pause = threading.Event()
        while not pause.wait(CHECK_SECONDS):
            self.refresh()
