"""Customer segments: groups of customers with like tastes and habits, found in their states and followed over time.

The vectors that customers are compared by, clustering with its evidence, ids that last, names and profiles; of the warehouse's tables only
the columns.
"""
