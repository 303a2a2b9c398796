"""Training jobs, tracking and the model registry: the protocol `MLPlatform`, on this machine (`local`) or on Azure ML (`azureml`)."""
