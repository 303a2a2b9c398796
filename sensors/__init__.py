"""What starts work: new landing files, decisions to retrain, runs that died.

A sensor reads state and yields run requests. The decisions themselves are pure functions in `globolatte_assets`. What follows
within the graph is started by automation conditions, not here.
"""
