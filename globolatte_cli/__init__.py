"""The command `globolatte`: everything a person does from a terminal. It handles arguments and output; decisions are made elsewhere.

Each command, or group of commands, is a module, imported when called: `globolatte --help` is instant. `main` lists them.
"""
