"""Campaigns: whom to offer which product, the expected effect, and the measured effect.

Expected orders, the effect of an offer, the choice of an audience, the measurement against the control group. The preference model's
probabilities are arguments; of the warehouse's tables this package knows only the columns.
"""
