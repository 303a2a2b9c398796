"""A stand-in for Azure Machine Learning: the REST API on this machine, for the real SDK, with code that really runs.

    with azureml_standin(folder) as standin, standin.reachable():
        client = MLClient(**standin.ml_client_arguments())   # or standin.ml_client()
        standin.faults.throttle("/jobs/")                      # what is to go wrong
        ...
        standin.journal.assert_clean()                         # nothing unmodelled was requested, no contract broken

Clients keep Azure's public addresses: the environment (`standin.environment`, which `reachable()` sets in this process and
which child processes are to be given) leads them here through an HTTPS proxy and makes them trust a certificate made at
run time. `DefaultAzureCredential` works with it as it is. README.md says what is modelled and what is not.
"""

from tests.emulators.azureml.standin import StandIn, azureml_standin

__all__ = ["StandIn", "azureml_standin"]
