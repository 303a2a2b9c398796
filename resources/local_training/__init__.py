"""Training on one machine by each of the methods, in subprocesses.

Belongs here: what a job is locally. Does not belong here: what training computes (`globolatte_ml`).
"""

from resources.local_training.methods import train as train
