"""All that the stand-in models: importing this registers every route."""

from tests.emulators.azureml import assets, computes, login, operations, workspaces
from tests.emulators.azureml.jobs import history, jobs, mlflow_api, outputs
from tests.emulators.azureml.serving import endpoints, scoring

MODULES = (assets, computes, endpoints, history, jobs, login, mlflow_api, operations, outputs, scoring, workspaces)
