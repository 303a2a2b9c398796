"""Endpoints: what answers questions. Customer states for serving, batch scoring, recommendations."""
