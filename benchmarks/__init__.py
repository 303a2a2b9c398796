"""Measurements of us and of a reference, side by side in one run. Absolute times are noise; ratios are what counts."""
