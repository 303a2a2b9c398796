"""What starts work: new landing files, decisions to retrain, runs that died.

A sensor looks and asks; it decides nothing itself: the decisions are pure functions in `globolatte_assets`. What follows inside
the graph is not started here but by automation conditions.
"""
