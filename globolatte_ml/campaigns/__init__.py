"""Campaigns: who to offer what, what it is expected to bring, and what it brought.

Visits to come, the effect of an offer, the choice of an audience, the measurement against the control group. The preference model's
probabilities are handed in; of the warehouse's tables only the columns.
"""
