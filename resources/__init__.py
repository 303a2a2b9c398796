"""The outside world behind small protocols: landing zone, warehouse, ML platform, endpoint, clock; one folder each.

Here belong the protocols and one implementation per world, and the settings that choose among them. What the data means
does not: that is decided by the assets and by `globolatte_ml`.
"""
