"""Endpoints, deployments and batches of an Azure ML workspace, and the export of all its definitions."""
