"""The online endpoint on one machine: inference servers behind a gateway, kept by a supervisor.

- `files.py`: what should run, and everything else that is written down. `supervisor.py` makes it so and writes down what does run;
  `slots.py` keeps one process alive, `processes.py` starts and ends them, `inference_server.py` is what a deployment's starts as.
- `gateway.py` answers on the one URL; `routing.py` decides who gets a request; `upstream.py` carries it there.
- `endpoint.py` is what everything else uses.

Which model serves is not decided here. Only the standard library, psutil and aiohttp are imported by the processes, so that they
start fast and stay small.
"""
