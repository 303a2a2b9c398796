"""Importing a table from a database through a workspace connection.

The stand-in reaches no database: who runs it says what a query gives (`StandIn.databases`), and the import writes that,
as Parquet under an `MLTable` file, and registers it.
"""

from typing import Any

from tests.emulators.azureml.jobs import command
from tests.emulators.azureml.jobs.runs import JobFailed, Run
from tests.emulators.azureml.locations import place_of

MLTABLE = "paths:\n  - pattern: ./*.parquet\ntransformations:\n  - read_parquet\n"
FILE = "part-00000.parquet"


def import_data(run: Run, step: dict[str, Any]) -> None:
    """One step of type `data_transfer`."""
    run.status = "Running"
    source = step["source"]
    connection = str(source["connection"]).removeprefix("azureml:").rpartition("/")[2]
    if run.world.store.get(f"{run.workspace}/connections/{connection}") is None:
        raise JobFailed(f"Connection {connection} not found")
    database = run.world.databases.get(connection)
    if database is None:
        raise JobFailed(f"Connection {connection}: the database is not reachable", "DataAccessError")
    content = database(source["query"])
    place = place_of(run.world, run.workspace, run.properties["outputs"]["sink"]["uri"])
    run.world.storage.write(place.below(FILE), content)
    run.world.storage.write(place.below("MLTable"), MLTABLE.encode())
    run.delivered.append("sink")
    command.register(run, run.properties["outputs"])
