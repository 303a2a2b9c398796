"""Training, tracking and the model registry on one machine: `platform.py` is what the rest of the project sees."""
