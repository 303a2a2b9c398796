"""Customer segments: groups of customers with like tastes and habits, found in their states and followed over time.

Belongs here: the vectors that customers are compared by, clustering with its evidence, ids that last, names and profiles.
Does not belong here: predictions for single customers (`model.py`), and anything about warehouse tables but their columns.
"""
