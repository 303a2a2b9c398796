"""A headless pass beside other processes."""

import subprocess
import sys
from pathlib import Path

import dagster as dg

from globolatte_cli.instance import prepare_home
from globolatte_cli.run_pass import opened_pass
from resources.settings.settings import Settings


def test_a_pass_leaves_the_warehouse_to_others_until_a_step_of_its_own_opens_it(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)

    @dg.op
    def wait_for_a_slot() -> None:
        """In place of a step's wait for the slot that another process has, which wants the file in turn."""
        script = f"import duckdb; duckdb.connect({str(settings.warehouse_file)!r})"
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)

    @dg.job
    def waiting() -> None:
        wait_for_a_slot()

    prepare_home(settings)
    with opened_pass(settings) as one:
        one.warehouse.read("sales_data.products")
        one.definitions = dg.Definitions(jobs=[waiting])
        assert one.job("waiting", "Waiting").success
