"""Azure Machine Learning behind the protocol `MLPlatform`, driven by azure-ai-ml's `MLClient`.

`platform.py` is the interface for the rest of the project; each other module handles one kind of resource in a workspace. Azure's
libraries are imported only inside functions, so that loading definitions stays fast.
"""
