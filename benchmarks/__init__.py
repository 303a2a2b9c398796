"""Measurements of the platform and of a reference, side by side in one run. Absolute times are noise; only ratios count."""
