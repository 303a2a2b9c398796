"""Faults that are played on a copy of a home, to see that each of them is seen: `globolatte drill`.

Belongs here: faults as values (what happens, what must say so) and how they are played. What says so (doctor, ledger, run, endpoint)
is the product's own and lives elsewhere.
"""
