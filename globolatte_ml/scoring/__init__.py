"""Answering with a fitted model: single requests, batches, regional rankings, the endpoint's service, the log of what was answered.

HTTP servers and the publishing of customer states are the platform's.
"""
