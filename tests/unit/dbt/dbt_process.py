"""dbt in a process that stays, with the project parsed once: both cost more than a build of a small chain."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
PROJECT = REPOSITORY / "dbt_project"

LOOP = """
import json, sys
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

runner = None
for line in sys.stdin:
    arguments = json.loads(line)
    if arguments[0] == "docs":
        result = dbtRunner().invoke(arguments)
    else:
        if runner is None:
            runner = dbtRunner(dbtRunner().invoke(["parse", "--quiet", "--no-write-json"]).result)
        result = runner.invoke(["--no-write-json", "--log-level-file", "none", *arguments])
    DuckDBConnectionManager.close_all_connections()
    results = getattr(result.result, "results", ())
    failed = [f"{one.node.name}: {one.message}" for one in results if one.status in ("error", "fail", "warn")]
    listed = result.result if arguments[0] == "ls" else []
    answer = {"success": result.success, "failed": failed, "listed": listed, "error": str(result.exception or "")}
    print("DONE " + json.dumps(answer), flush=True)
"""


class DbtProcess:
    """One warehouse and a dbt that builds in it. Use as a context manager."""

    def __init__(self, warehouse: Path, folder: Path) -> None:
        self.warehouse, self.folder = warehouse, folder

    def __enter__(self) -> "DbtProcess":
        environment = os.environ | {
            "GLOBOLATTE_WAREHOUSE": "duckdb",
            "GLOBOLATTE_DUCKDB_PATH": str(self.warehouse),
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "DBT_PROJECT_DIR": str(PROJECT),
            "DBT_PROFILES_DIR": str(PROJECT),
            "DBT_USE_COLORS": "false",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", LOOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
            cwd=self.folder,
        )  # fmt: skip
        return self

    def __exit__(self, *fault: object) -> None:
        self.process.kill()
        self.process.wait()

    def _ask(self, arguments: tuple[str, ...]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(list(arguments)) + "\n")
        self.process.stdin.flush()

    def run(self, *arguments: str) -> None:
        """Runs dbt to its end; fails with what dbt says went wrong."""
        answer = self._answer(arguments)
        assert answer["success"], answer

    def listed(self, *arguments: str) -> list[str]:
        """What `dbt ls` with these arguments names."""
        answer = self._answer(("ls", *arguments))
        assert answer["success"], answer
        listed: list[str] = answer["listed"]
        return listed

    def failures(self, *arguments: str) -> set[str]:
        """Runs dbt to its end; the names of the tests and models that failed or warn."""
        answer = self._answer(arguments)
        assert not answer["error"], answer
        return {failed.split(":")[0] for failed in answer["failed"]}

    def _answer(self, arguments: tuple[str, ...]) -> dict[str, Any]:
        self._ask(arguments)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("DONE "):
                answer: dict[str, Any] = json.loads(line.removeprefix("DONE "))
                return answer
        raise AssertionError(f"dbt ended with {self.process.wait()}")

    def kill_after(self, model: str, *arguments: str) -> None:
        """Starts dbt and ends it with SIGKILL as soon as it says that it has built `model`."""
        self._ask(arguments)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            assert not line.startswith("DONE "), f"dbt ended before it built {model}"
            if f" OK created sql incremental model {model} " in line:
                break
        self.__exit__()
        self.__enter__()
