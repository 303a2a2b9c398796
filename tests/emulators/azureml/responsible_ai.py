"""Azure's own registry `azureml` with the Responsible AI components, as far as a pipeline sees them: names, inputs, outputs.

Their code is Microsoft's and is not here. A step of one is given its inputs and checked like any other, and leaves in each output a file
that says that nothing was computed. Their published definitions call files and folders `path`, a type that the SDK refuses in an answer;
here it is `uri_folder`.
"""

from typing import Any

from tests.emulators.azureml.assets import KINDS, keep_version
from tests.emulators.azureml.network import REGION, REGISTRY_API, WORKSPACE_API
from tests.emulators.azureml.store import made
from tests.emulators.azureml.world import World

REGISTRY = "azureml"
VERSION = "0.22.0"
SCOPE = (
    "/subscriptions/00000000-0000-0000-0000-0000000a2001/resourceGroups/azureml-registry"
    f"/providers/Microsoft.MachineLearningServices/registries/{REGISTRY}"
)
NOTHING = "NOT_COMPUTED.txt"
SAID = "The stand-in has no code of this component: nothing was computed."

PATH: dict[str, Any] = {"type": "uri_folder"}
OPTIONAL_PATH: dict[str, Any] = {"type": "uri_folder", "optional": True}
TEXT: dict[str, Any] = {"type": "string"}
OPTIONAL_TEXT: dict[str, Any] = {"type": "string", "optional": True}


def _text(default: str, *allowed: str) -> dict[str, Any]:
    return {"type": "string", "default": default, **({"enum": list(allowed)} if allowed else {})}


def _number(default: int) -> dict[str, Any]:
    return {"type": "integer", "default": str(default)}


def _flag(default: bool) -> dict[str, Any]:
    return {"type": "boolean", "default": str(default)}


COMPONENTS: dict[str, tuple[dict[str, dict[str, Any]], tuple[str, ...]]] = {
    "rai_tabular_insight_constructor": (
        {
            "title": TEXT,
            "task_type": {"type": "string", "enum": ["classification", "regression", "forecasting"]},
            "model_info_path": OPTIONAL_PATH,
            "model_input": {"type": "mlflow_model", "optional": True},
            "model_info": OPTIONAL_TEXT,
            "train_dataset": PATH,
            "test_dataset": PATH,
            "target_column_name": TEXT,
            "maximum_rows_for_test_dataset": _number(5000),
            "categorical_column_names": _text("[]"),
            "classes": _text("[]"),
            "feature_metadata": _text("{}"),
            "use_model_dependency": _flag(False),
        },
        ("rai_insights_dashboard",),
    ),
    "rai_tabular_explanation": ({"comment": TEXT, "rai_insights_dashboard": PATH}, ("explanation",)),
    "rai_tabular_erroranalysis": (
        {
            "rai_insights_dashboard": PATH,
            "max_depth": _number(3),
            "num_leaves": _number(31),
            "min_child_samples": _number(20),
            "filter_features": _text("null"),
        },
        ("error_analysis",),
    ),
    "rai_tabular_counterfactual": (
        {
            "rai_insights_dashboard": PATH,
            "total_CFs": _number(10),
            "method": _text("random", "random", "genetic", "kdtree"),
            "desired_class": OPTIONAL_TEXT,
            "desired_range": OPTIONAL_TEXT,
            "permitted_range": OPTIONAL_TEXT,
            "features_to_vary": _text("all"),
            "feature_importance": _flag(True),
        },
        ("counterfactual",),
    ),
    "rai_tabular_causal": (
        {
            "rai_insights_dashboard": PATH,
            "treatment_features": TEXT,
            "heterogeneity_features": _text("null"),
            "nuisance_model": _text("linear", "linear", "automl"),
            "heterogeneity_model": _text("linear", "linear", "forest"),
            "alpha": {"type": "number", "default": "0.05"},
            "upper_bound_on_cat_expansion": _number(50),
            "treatment_cost": _text("0"),
            "min_tree_leaf_samples": _number(2),
            "max_tree_depth": _number(2),
            "skip_cat_limit_checks": _flag(False),
            "categories": _text("auto"),
            "n_jobs": _number(1),
            "verbose": _number(1),
            "random_state": _text("None"),
        },
        ("causal",),
    ),
    "rai_tabular_insight_gather": (
        {"constructor": PATH, **{f"insight_{number}": OPTIONAL_PATH for number in range(1, 5)}},
        ("dashboard", "ux_json"),
    ),
    "rai_tabular_score_card": (
        {"dashboard": PATH, "pdf_generation_config": PATH, "predefined_cohorts_json": OPTIONAL_PATH},
        ("scorecard",),
    ),
}


def add_registry(world: World) -> None:
    """Puts the registry where a client finds it by its name."""
    own = {
        "discoveryUrl": f"https://{REGISTRY_API}/registrymanagement/v1.0/registries/{REGISTRY}/discovery",
        "mlFlowRegistryUri": f"azureml://{WORKSPACE_API}/mlflow/v1.0{SCOPE}",
    }
    world.store.put(made(SCOPE, "registries", own, location=REGION, tags={}))
    kind = next(kind for kind in KINDS if kind.name == "components")
    for name, (inputs, outputs) in COMPONENTS.items():
        commands = "; ".join(f"echo '{SAID}' | tee ${{{{outputs.{output}}}}}/{NOTHING}" for output in outputs)
        spec = {
            "$schema": "https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json",
            "name": name,
            "version": VERSION,
            "display_name": name,
            "type": "command",
            "is_deterministic": "True",
            "inputs": inputs,
            "outputs": {output: {"type": "uri_folder"} for output in outputs},
            "environment": "azureml://registries/azureml/environments/responsibleai-tabular/versions/28",
            "command": commands,
        }
        keep_version(world, kind, SCOPE, name, VERSION, {"componentSpec": spec})
