"""Endpoints: what answers requests. Customer states for serving, batch scoring, recommendations."""
