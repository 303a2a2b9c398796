"""The command `globolatte`: everything a person does from a terminal. It talks to people; decisions are made elsewhere.

Each command, or group of commands, is a module, imported when called: `globolatte --help` is instant. `main` lists them.
"""
