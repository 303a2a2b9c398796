"""All that the stand-in models: importing this registers every route."""

from tests.emulators.azureml import assets, computes, connections, login, operations, registries, schedules, workspaces
from tests.emulators.azureml.jobs import history, jobs, mlflow_api, outputs
from tests.emulators.azureml.serving import batch, endpoints, scoring

MODULES = (
    assets, batch, computes, connections, endpoints, history, jobs, login, mlflow_api, operations, outputs, registries,
    schedules, scoring, workspaces,
)  # fmt: skip
