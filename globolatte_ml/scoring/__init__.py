"""Answering with a fitted model: single requests, batches, regional rankings, and the log of what was answered."""
