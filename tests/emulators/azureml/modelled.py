"""All that the stand-in models: importing this registers every route."""

from tests.emulators.azureml import assets, computes, login, operations, workspaces
from tests.emulators.azureml.jobs import history, jobs, outputs
from tests.emulators.azureml.serving import endpoints, scoring

MODULES = (assets, computes, endpoints, history, jobs, login, operations, outputs, scoring, workspaces)
