"""Azure Machine Learning behind the protocols of `resources.ml` and `resources.endpoint`, driven by azure-ai-ml's `MLClient`.

Belongs here: everything that knows Azure ML. `platform.py` and `endpoint.py` are what the rest of the project sees; the other modules
are one kind of thing in a workspace each. Azure's libraries are imported inside functions only, so that reading definitions stays fast.
"""
