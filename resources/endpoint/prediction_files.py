"""The endpoint's prediction log as finished files that wait to be loaded into the warehouse."""

from contextlib import suppress
from pathlib import Path

import dagster as dg

from globolatte_ml.scoring.prediction_log import FINISHED, finish_abandoned


class PredictionFiles(dg.ConfigurableResource):
    """The files under `folder`, which the endpoint's deployments write (see `globolatte_ml.scoring.prediction_log`).

    `days`: how long their answers are kept in the warehouse; none for ever. A file is removed only once its answers are there.
    """

    folder: str
    days: int | None = None

    def finished(self) -> list[Path]:
        """Files that no process writes any more, including those of killed writers; oldest first."""
        folder = Path(self.folder)
        finish_abandoned(folder)
        aged = []
        for path in folder.glob(f"*{FINISHED}"):
            with suppress(FileNotFoundError):  # another run removed it just now
                aged.append((path.stat().st_mtime_ns, path))
        return [path for _, path in sorted(aged)]

    def taken(self, file: Path) -> None:
        """Removes a file whose content is in the warehouse."""
        file.unlink(missing_ok=True)
