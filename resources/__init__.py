"""External systems behind small protocols: landing zone, warehouse, ML platform, endpoint, clock; one folder each.

The protocols, one implementation per environment, and the settings that choose among them belong here. The meaning of the data
does not: it belongs to the assets and to `globolatte_ml`.
"""
