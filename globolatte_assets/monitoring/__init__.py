"""Monitoring: whether the loaded data and the served model are still right."""
