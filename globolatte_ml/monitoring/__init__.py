"""The science of monitoring: whether new orders still look like those the champion learned from, and whether it is still right.

Belongs here: windows, references, verdicts and their pictures, as pure functions over data frames. Evidently is imported when
a report is made.
Does not belong here: reading tables, keeping verdicts, what follows from them (the platform does all three).
"""
