"""Online and batch serving: the protocol `Endpoint`, on this machine (`local`) or on Azure ML (`azureml`), and the states it follows."""
