"""The science of monitoring: whether new orders still look like those the champion learned from, and whether it is still right.

Windows, references, verdicts and their pictures, as pure functions over data frames. Reading tables, storing verdicts and what follows from
them are the platform's.
"""
