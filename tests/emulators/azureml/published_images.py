"""Images that Microsoft publishes for Azure Machine Learning, as its own lists had them on 2026-11-30.

A name that is not here is looked up at the source named before it is added: a name that merely looks right cannot be pulled, and that
shows only when an image is built in Azure.
"""

MICROSOFTS = "mcr.microsoft.com/azureml/"
INFERENCE = "https://learn.microsoft.com/azure/machine-learning/concept-prebuilt-docker-images-inference"
"""Its table "Inference minimal base images"; the page asks for the tag `latest`."""
BASE = "https://github.com/Azure/AzureML-Containers"
"""A folder of release notes under `images/` for each image."""

IMAGES = {
    "mcr.microsoft.com/azureml/minimal-py312-inference:latest": INFERENCE,
    "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cpu-inference:latest": INFERENCE,
    "mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cuda11.8-gpu-inference:latest": INFERENCE,
    "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest": BASE,
    "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest": BASE,
    "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04:latest": BASE,
    "mcr.microsoft.com/azureml/openmpi5.0-ubuntu24.04:latest": BASE,
    "mcr.microsoft.com/azureml/openmpi5.0-cuda12.4-ubuntu22.04:latest": BASE,
    "mcr.microsoft.com/azureml/openmpi5.0-cuda12.5-ubuntu22.04:latest": BASE,
    "mcr.microsoft.com/azureml/openmpi5.0-cuda12.6-ubuntu24.04:latest": BASE,
}
