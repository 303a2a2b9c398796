"""The program around a batch deployment's script: mini-batches of files, retries, one file of results.

It runs in the job's process and imports the deployed script; nothing else of the stand-in.
"""

import argparse
import importlib.util
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

_worker: list[Any] = []
"""The deployed script and the arguments, in each process that scores."""


def main() -> None:
    """Scores every file of the inputs."""
    given = _arguments()
    os.environ["AZUREML_BI_OUTPUT_PATH"] = str(given.output)
    if given.model is not None:
        os.environ["AZUREML_MODEL_DIR"] = str(given.model)
    files = sorted(str(file) for data in given.data for file in _files(data))
    batches = [files[start : start + given.size] for start in range(0, len(files), given.size)]
    failed = 0
    with (given.output / given.file).open("w") as output:
        for batch, rows in zip(batches, _all_scored(given, batches), strict=True):
            if rows is None:
                failed += len(batch)
            elif given.action == "AppendRow":
                output.writelines(f"{row}\n" for row in rows)
    if given.action != "AppendRow":
        (given.output / given.file).unlink()
    print(f"{len(files)} files, {failed} failed")
    if 0 <= given.threshold < failed:
        sys.exit(f"{failed} files failed; the error threshold is {given.threshold}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("script", "output", "model"):
        parser.add_argument(f"--{name}", type=Path)
    for name in ("size", "retries", "threshold", "concurrency"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--seconds", type=float)
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


def _all_scored(given: argparse.Namespace, batches: list[list[str]]) -> Iterator[list[str] | None]:
    """The rows of each mini-batch, by as many processes as are asked for; none for one that failed."""
    if given.concurrency == 1:
        _begin(given)
        yield from map(_scored, batches)
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(given.concurrency, context, initializer=_begin, initargs=(given,)) as pool:
        yield from pool.map(_scored, batches)


def _begin(given: argparse.Namespace) -> None:
    script = _loaded(given.script)
    script.init()
    _worker[:] = [script, given]


def _scored(batch: list[str]) -> list[str] | None:
    script, given = _worker
    signal.signal(signal.SIGALRM, _late)
    for attempt in range(given.retries + 1):
        signal.setitimer(signal.ITIMER_REAL, given.seconds)
        try:
            return _lines(script.run(batch))
        except Exception as error:  # noqa: BLE001 - the script's; it is tried again, then counted
            print(f"mini-batch of {len(batch)} files, attempt {attempt + 1}: {error!r}", file=sys.stderr)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def _late(*_: object) -> None:
    raise TimeoutError("the mini-batch took longer than its time-out")


def _lines(rows: Any) -> list[str]:
    if hasattr(rows, "to_csv"):
        return str(rows.to_csv(index=False, header=False, sep=" ")).splitlines()  # as Azure writes them
    return [str(row) for row in rows]


if __name__ == "__main__":
    main()
