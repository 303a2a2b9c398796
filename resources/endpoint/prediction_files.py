"""The endpoint's prediction log as finished files that wait to be loaded into the warehouse."""

from pathlib import Path

import dagster as dg

from globolatte_ml.scoring.prediction_log import FINISHED, finish_abandoned


class PredictionFiles(dg.ConfigurableResource):
    """The files under `folder`, which the endpoint's deployments write (see `globolatte_ml.scoring.prediction_log`)."""

    folder: str

    def finished(self) -> list[Path]:
        """Files that no process writes any more, including those of killed writers; oldest first."""
        folder = Path(self.folder)
        finish_abandoned(folder)
        return sorted(folder.glob(f"*{FINISHED}"), key=lambda path: (path.stat().st_mtime_ns, path.name))

    def taken(self, file: Path) -> None:
        """Removes a file whose content is in the warehouse."""
        file.unlink()
