"""Campaigns: who to offer what, what it is expected to bring, and what it brought.

Belongs here: visits to come, the effect of an offer, the choice of an audience, the measurement against the control group.
Does not belong here: the preference model's probabilities (they are handed in), warehouse tables but their columns.
"""
