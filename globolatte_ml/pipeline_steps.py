"""The steps of a training pipeline other than training: `python -m globolatte_ml.pipeline_steps prepare|evaluate …`."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.job_entry import exit_code, say
from globolatte_ml.scoring.scorer import resolve_model_folder
from globolatte_ml.training.evaluation import evaluate_model

PROFILE_FILE, EVALUATION_FILE = "profile.json", "evaluation.json"


def prepare(snapshot_folder: Path, out: Path) -> None:
    """Read the whole snapshot once, and hand it on with a profile of what is in it: a broken one stops the pipeline here."""
    snapshot = read_snapshot(snapshot_folder)
    shutil.copytree(snapshot_folder, out, dirs_exist_ok=True)
    profile = {
        "orders": len(snapshot),
        "holdout_orders": int(snapshot.holdout.sum()),
        "products": len(snapshot.products),
        "first_order": str(snapshot.ordered_at.min()),
        "last_order": str(snapshot.ordered_at.max()),
    }
    (out / PROFILE_FILE).write_text(json.dumps(profile, indent=2) + "\n", encoding="utf-8")


def evaluate(snapshot_folder: Path, model_folder: Path, out: Path) -> None:
    """Evaluate a trained model on the snapshot's holdout and write evaluation.json."""
    out.mkdir(parents=True, exist_ok=True)
    evaluation = evaluate_model(resolve_model_folder(model_folder), read_snapshot(snapshot_folder))
    document = json.dumps(evaluation.as_dict(), indent=2, sort_keys=True)
    (out / EVALUATION_FILE).write_text(document + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """One step; 0 when done, 2 when the input cannot be used (the message says what to do)."""
    options = _parser().parse_args(arguments)

    def step() -> None:
        if options.step == "prepare":
            prepare(options.snapshot, options.out)
        else:
            evaluate(options.snapshot, options.model, options.out)
        say(f"{options.step}: {options.out}")

    return exit_code(step)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m globolatte_ml.pipeline_steps", description="A pipeline's step.")
    steps = parser.add_subparsers(dest="step", required=True)
    for name in ("prepare", "evaluate"):
        step = steps.add_parser(name)
        step.add_argument("--snapshot", type=Path, required=True, help="folder of the snapshot")
        step.add_argument("--out", type=Path, required=True, help="folder to write into")
        if name == "evaluate":
            step.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    return parser


if __name__ == "__main__":
    sys.exit(main())
