"""The statistics of monitoring: whether new orders still resemble those that the champion learned from, and whether it still performs.

Windows, references, verdicts, performance estimated before outcomes are known, and their plots, as pure functions. Reading tables,
storing verdicts and acting on them belong to the assets.
"""
