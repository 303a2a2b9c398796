"""Training on one machine by each of the methods, in subprocesses. What training computes is `globolatte_ml`."""

from resources.ml.local.methods import train_by_method as train_by_method
