"""The environments of other machines list every package that the code imports there."""

import ast
import sys
from pathlib import Path

from resources.ml.azureml.environments import SERVING_PACKAGES, TRAINING_PACKAGES

ML = Path(__file__).parents[3] / "globolatte_ml"
BROUGHT_ALONG = {
    "pydantic": "mlflow",
    "scipy": "scikit-learn",
    "threadpoolctl": "scikit-learn",
    "sklearn": "scikit-learn",
    "dagster_pipes": "dagster-pipes",
}
ONLY_WHERE_DAGSTER_RUNS = {"evidently", "matplotlib", "holidays", "markdown_it"}
ONLY_IN_A_LOCAL_SEARCH = {"lightgbm", "optuna", "onnxmltools", "skl2onnx"}
"""The extra `automl`: on Azure ML the service searches."""
LEFT_BEHIND = "monitoring"
"""Is not copied into jobs and deployments (`resources.ml.azureml.environments`)."""


def imported(package: Path) -> set[str]:
    """Top-level names that the modules of `package` import, anywhere in their code."""
    names: set[str] = set()
    for file in package.rglob("*.py"):
        if LEFT_BEHIND in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"globolatte_ml"} - ONLY_WHERE_DAGSTER_RUNS - ONLY_IN_A_LOCAL_SEARCH


def test_the_packages_of_training_and_serving_cover_the_imports() -> None:
    given = set(TRAINING_PACKAGES) | set(SERVING_PACKAGES)
    needed = {name: BROUGHT_ALONG.get(name, name.replace("_", "-")) for name in imported(ML)}
    assert {name: package for name, package in needed.items() if package not in given} == {}
