"""Azure Machine Learning behind the protocol `MLPlatform`, driven by azure-ai-ml's `MLClient`.

`platform.py` is what the rest of the project sees; the other modules are one kind of thing in a workspace each. Azure's libraries are
imported inside functions only, so that reading definitions stays fast.
"""
