"""The command `globolatte`: everything a person does from a terminal. Only talking to people belongs here.

Commands live in modules of their own and are imported when called, so that `globolatte --help` is instant.
"""
