"""The steps of a training pipeline other than training: `python -m globolatte_ml.pipeline_steps prepare|evaluate …`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.job_entry import exit_code, parser_of, say, write_json
from globolatte_ml.scoring.scorer import resolve_model_folder
from globolatte_ml.training.evaluation import evaluate_model

PROFILE_FILE, EVALUATION_FILE = "profile.json", "evaluation.json"


def prepare(snapshot_folder: Path, out: Path) -> None:
    """Reads the whole snapshot once, and passes it on with a profile of its content: a broken one stops the pipeline here."""
    snapshot = read_snapshot(snapshot_folder)
    shutil.copytree(snapshot_folder, out, dirs_exist_ok=True)
    profile = {
        "orders": len(snapshot),
        "holdout_orders": int(snapshot.holdout.sum()),
        "products": len(snapshot.products),
        "first_order": str(snapshot.ordered_at.min()),
        "last_order": str(snapshot.ordered_at.max()),
    }
    write_json(out / PROFILE_FILE, profile)


def evaluate(snapshot_folder: Path, model_folder: Path, out: Path) -> None:
    """Evaluate a trained model on the snapshot's holdout and write evaluation.json."""
    out.mkdir(parents=True, exist_ok=True)
    evaluation = evaluate_model(resolve_model_folder(model_folder), read_snapshot(snapshot_folder))
    write_json(out / EVALUATION_FILE, evaluation.as_dict())


def main(arguments: Sequence[str] | None = None) -> int:
    """One step; 0 when done, 2 when the input cannot be used (the message says what to do)."""
    parser = parser_of(
        "pipeline_steps", "A pipeline's step.", snapshot="folder of the snapshot", out="folder to write into"
    )
    parser.add_argument("step", choices=["prepare", "evaluate"])
    parser.add_argument("--model", type=Path, help="folder of the trained model, to evaluate")
    options = parser.parse_args(arguments)
    if (options.step == "evaluate") != (options.model is not None):
        parser.error("evaluate needs --model, prepare takes none")

    def step() -> None:
        if options.step == "prepare":
            prepare(options.snapshot, options.out)
        else:
            evaluate(options.snapshot, options.model, options.out)
        say(f"{options.step}: {options.out}")

    return exit_code(step)


if __name__ == "__main__":
    sys.exit(main())
