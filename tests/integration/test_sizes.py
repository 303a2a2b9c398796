"""A whole pass over chains of one order to a million: every asset of it is made, no run fails, and nobody is left without an answer."""

import subprocess
from collections.abc import Callable

import dagster as dg
import pytest

from globolatte_assets.jobs import MEASURE_CAMPAIGNS
from globolatte_cli.instance import open_instance
from globolatte_cli.run_pass import FLOW
from resources.environment import warehouse_of
from resources.settings.settings import Settings
from tests.homes import GLOBOLATTE, Home, NewHome

pytestmark = [pytest.mark.slow, pytest.mark.depth, pytest.mark.timeout(5400)]

ONE_DAY = ("--start", "2022-03-05", "--end", "2022-03-05")
TWO_WEEKS = ("--start", "2022-03-05", "--end", "2022-03-18")


def made_by_a_pass(definitions: dg.Definitions) -> set[dg.AssetKey]:
    """The assets of all jobs that a pass goes through after loading; there is no campaign to measure."""
    jobs = [definitions.resolve_job_def(job) for job, _ in FLOW if job != MEASURE_CAMPAIGNS]
    return {key for job in jobs for key in job.asset_layer.executable_asset_keys}


@pytest.mark.parametrize(
    ("orders", "customers", "days"),
    [(1, 1, ONE_DAY), (10, 4, TWO_WEEKS), (1_000, 100, ()), (30_000, 3_000, ()), (1_000_000, 100_000, ())],
    ids=["one", "ten", "a thousand", "thirty thousand", "a million"],
)
def test_a_pass_makes_everything_of_a_chain_of_any_size(
    new_home: NewHome, orders: int, customers: int, days: tuple[str, ...]
) -> None:
    home = new_home().simulate("--orders", str(orders), "--customers", str(customers), *days)
    output = passed(home)
    settings = Settings(home=home.folder)
    from definitions import build_definitions

    definitions = build_definitions(settings)
    with open_instance(settings) as instance:
        failed = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
        assert [record.dagster_run.job_name for record in failed] == [], output
        lacking = {key for key in made_by_a_pass(definitions) if instance.get_latest_materialization_event(key) is None}
    assert {key.to_user_string() for key in lacking} == set()
    count = counted(settings)
    assert count("marts.fct_orders") == orders
    assert count("serving.recommendations") > 0
    assert 0 < count("ml.segments") <= customers


def passed(home: Home) -> str:
    """The output of a pass that ends well."""
    done = subprocess.run([GLOBOLATTE, "run"], env=home.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def counted(settings: Settings) -> Callable[[str], int]:
    """How many rows a table has."""
    warehouse = warehouse_of(settings)

    def count(table: str) -> int:
        with warehouse.transaction() as transaction:
            return int(transaction.fetch(f"select count(*) as rows_there from {table}")["rows_there"][0].as_py())

    return count
