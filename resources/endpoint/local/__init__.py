"""The online endpoint on one machine: inference servers behind a gateway, kept by a supervisor.

- `desired_state.py`: the file that says what should run. `supervisor.py` makes it so and writes down what does run;
  `processes.py` and `children.py` are its hands.
- `gateway.py` answers on the one URL; `routing.py` decides who gets a request; `upstream.py` carries it there.
- `endpoint.py` is what everything else uses.

Which model serves is not decided here. Only the standard library, psutil, aiohttp and uvicorn are imported by the processes,
so that they start fast and stay small.
"""
