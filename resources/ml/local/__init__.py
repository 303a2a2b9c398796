"""Training on one machine by each of the methods, in subprocesses.

Belongs here: what a job is locally. Does not belong here: what training computes (`globolatte_ml`).
"""

from resources.ml.local.methods import train as train
