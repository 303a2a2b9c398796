"""Getting a new source in: looks at sample files of a till or shop, proposes their declaration, loads them in memory to show the outcome.

Analysis only. What is read and validated for good is read and validated by `reading` and `validation`; nothing here is on a load's way.
"""
