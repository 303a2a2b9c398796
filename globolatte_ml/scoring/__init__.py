"""Scoring with a fitted model: single requests, batches, regional rankings, the endpoint's service, the prediction log.

HTTP servers and the publishing of customer states belong to `resources`.
"""
