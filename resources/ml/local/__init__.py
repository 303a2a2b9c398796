"""Training, tracking and the model registry on one machine. `platform.py` is the interface for the rest of the project."""
