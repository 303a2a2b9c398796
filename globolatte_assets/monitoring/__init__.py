"""Monitoring: whether what is loaded and served is still right."""
