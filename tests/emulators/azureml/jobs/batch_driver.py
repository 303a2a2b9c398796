"""The program around a batch deployment's script: mini-batches of files, retries, one file of results.

It runs in the job's process and imports the deployed script; nothing else of the stand-in.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any


def main() -> None:
    """Scores every file of the inputs."""
    given = _arguments()
    os.environ["AZUREML_BI_OUTPUT_PATH"] = str(given.output)
    if given.model is not None:
        os.environ["AZUREML_MODEL_DIR"] = str(given.model)
    script = _loaded(given.script)
    script.init()
    files = sorted(str(file) for data in given.data for file in _files(data))
    failed = 0
    with (given.output / given.file).open("w") as output:
        for start in range(0, len(files), given.size):
            batch = files[start : start + given.size]
            rows = _scored(script, batch, given.retries)
            if rows is None:
                failed += len(batch)
            elif given.action == "AppendRow":
                output.writelines(f"{row}\n" for row in _lines(rows))
    if given.action != "AppendRow":
        (given.output / given.file).unlink()
    print(f"{len(files)} files, {failed} failed")
    if 0 <= given.threshold < failed:
        sys.exit(f"{failed} files failed; the error threshold is {given.threshold}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("script", "output", "model"):
        parser.add_argument(f"--{name}", type=Path)
    for name in ("size", "retries", "threshold"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--file")
    parser.add_argument("--action")
    parser.add_argument("--data", type=Path, action="append", default=[])
    return parser.parse_args()


def _loaded(script: Path) -> ModuleType:
    sys.path.insert(0, str(script.resolve().parent))
    spec = importlib.util.spec_from_file_location("deployed_script", script)
    if spec is None or spec.loader is None:
        sys.exit(f"{script} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _files(path: Path) -> Iterator[Path]:
    return (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else iter([path])


def _scored(script: ModuleType, batch: list[str], retries: int) -> Any:
    for attempt in range(retries + 1):
        try:
            return script.run(batch)
        except Exception as error:  # noqa: BLE001 - the script's; it is tried again, then counted
            print(f"mini-batch of {len(batch)} files, attempt {attempt + 1}: {error!r}", file=sys.stderr)
    return None


def _lines(rows: Any) -> list[str]:
    if hasattr(rows, "to_csv"):
        return str(rows.to_csv(index=False, header=False)).splitlines()
    return [str(row) for row in rows]


if __name__ == "__main__":
    main()
