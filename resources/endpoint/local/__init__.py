"""The online endpoint on one machine: inference servers behind a gateway, kept running by a supervisor.

- `files.py`: the desired state and all other files. `supervisor.py` starts and ends processes accordingly and records what runs;
  `survivors.py` finds what a killed one left; `slots.py` keeps one process alive, `processes.py` starts and ends processes,
  `inference_server.py` is a deployment's entry point.
- `gateway.py` answers on the one URL; `routing.py` picks the deployment for a request; `upstream.py` sends the request there.
- `endpoint.py` is the interface for everything else.

Which model serves is not decided here. The processes import only the standard library, psutil and aiohttp, so that they start fast
and stay small.
"""
