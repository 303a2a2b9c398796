"""The statistics of monitoring: whether new orders still resemble those that the champion learned from, and whether it still performs.

Windows, references, verdicts and their plots, as pure functions over data frames. Reading tables, storing verdicts and acting on them
belong to the assets.
"""
