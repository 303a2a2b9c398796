"""Azure's Responsible AI components in the training pipeline: constructor, explanation, error analysis, counterfactual, causal, gather,
scorecard.

Microsoft provides them in the registry `azureml`; they run in an environment of their own. A step of ours (`globolatte_ml.rai_inputs`)
writes what they read. Our own responsible AI, which needs none of them, is the asset `models/responsible_ai`.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from globolatte_ml.data.snapshot import read_snapshot
from resources.ml.azureml.data_assets import URI_FILE, ensure_by_content
from resources.ml.azureml.faults import faults_of
from resources.ml.azureml.provenance import hash_of_files, hash_of_values
from resources.ml.azureml.training_jobs import JobParts
from resources.ml.azureml.workspace import Workspace
from resources.ml.ml_platform import Snapshot
from resources.ml.training_method import PipelineMethod

REGISTRY = "azureml"
COMPONENTS: Mapping[str, str] = {
    "constructor": "rai_tabular_insight_constructor",
    "explanation": "rai_tabular_explanation",
    "error_analysis": "rai_tabular_erroranalysis",
    "counterfactual": "rai_tabular_counterfactual",
    "causal": "rai_tabular_causal",
    "gather": "rai_tabular_insight_gather",
    "scorecard": "rai_tabular_score_card",
}
MODEL = "globolatte-responsible-ai-model"
SCORECARD_CONFIG = "globolatte-scorecard-config"
CATEGORIES = ("business_unit", "weather", "daypart")
TREATMENTS = ("weather", "is_holiday", "order_count")
VARIED = ("weather", "daypart", "is_holiday", "order_count")
"""The features that a counterfactual may change: not the customer's identity or past orders."""


@dataclass(frozen=True)
class ResponsibleAI:
    """What the steps are made of: components by name, the product looked at, the scorecard's configuration as a file asset."""

    components: Mapping[str, Any]
    focus: str
    scorecard_config: str
    model_version: str


def ensure(workspace: Workspace, parts: JobParts, method: PipelineMethod, snapshot: Snapshot) -> ResponsibleAI:
    """Registers everything that the steps need. Raises `AzureMLError` if Azure's components are missing."""
    from globolatte_ml.rai_inputs import best_seller

    focus = method.focus or best_seller(read_snapshot(snapshot.folder))
    made = hash_of_values([hash_of_files(parts.code), parts.environment, parts.snapshot, method.seed, focus])
    return ResponsibleAI(_components(workspace), focus, _scorecard_config(workspace, focus), made)


def _components(workspace: Workspace) -> dict[str, Any]:
    """Azure's components, all of the latest version of the constructor: they read each other's files."""
    client = workspace.registry_of(REGISTRY)
    with faults_of(f"components of the registry {REGISTRY}"):
        version = client.components.get(COMPONENTS["constructor"], label="latest").version
        return {step: client.components.get(name, version=version) for step, name in COMPONENTS.items()}


def scorecard_config(focus: str) -> dict[str, Any]:
    """The scorecard's texts and target values."""
    return {
        "Model": {
            "ModelName": "GloboLatte preference model",
            "ModelType": "Classification",
            "ModelSummary": f"Whether the main product of an order is {focus}, by customer, place, time and weather.",
        },
        "Metrics": {"accuracy_score": {"threshold": ">=0.5"}, "precision_score": {}, "recall_score": {}},
        "FeatureImportance": {"top_n": 6},
        "DataExplorer": {"features": list(CATEGORIES)},
        "Fairness": {
            "metric": ["accuracy_score"],
            "sensitive_features": ["business_unit"],
            "fairness_evaluation_kind": "difference",
        },
    }


def _scorecard_config(workspace: Workspace, focus: str) -> str:
    """The configuration as a file asset, versioned by its content; its address."""
    with tempfile.TemporaryDirectory(prefix="globolatte-scorecard-") as scratch:
        file = Path(scratch) / "scorecard.json"
        file.write_text(json.dumps(scorecard_config(focus), indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return ensure_by_content(workspace, SCORECARD_CONFIG, file, URI_FILE, {"focus": focus})


def inputs_component(parts: JobParts) -> Any:
    """The step that writes what Azure's components read."""
    from azure.ai.ml import Input, Output, command

    folder = Input(type="uri_folder")
    return command(
        name="globolatte_responsible_ai_inputs",
        display_name="responsible_ai_inputs",
        command="python -m globolatte_ml.rai_inputs --snapshot ${{inputs.snapshot}} --model ${{inputs.trained}}/model "
        "--focus ${{inputs.focus}} --train ${{outputs.train}} --test ${{outputs.test}} --model-out ${{outputs.model}}",
        inputs={"snapshot": folder, "trained": folder, "focus": Input(type="string")},
        outputs={
            "train": Output(type="mltable"),
            "test": Output(type="mltable"),
            "model": Output(type="mlflow_model"),
        },
        **parts.component,
    ).component


def add_steps(rai: ResponsibleAI, inputs_step: Any, snapshot: Any, trained: Any) -> dict[str, Any]:
    """Adds the steps to the pipeline that is being defined; its further outputs."""
    from azure.ai.ml import Input

    from globolatte_ml.rai_inputs import TARGET

    step = rai.components
    inputs = inputs_step(snapshot=snapshot, trained=trained, focus=rai.focus)
    inputs.outputs.model.name, inputs.outputs.model.version = MODEL, rai.model_version
    constructor = step["constructor"](
        title=f"Orders of {rai.focus}",
        task_type="classification",
        model_info=f"{MODEL}:{rai.model_version}",
        model_input=inputs.outputs.model,
        train_dataset=inputs.outputs.train,
        test_dataset=inputs.outputs.test,
        target_column_name=TARGET,
        categorical_column_names=json.dumps(CATEGORIES),
        use_model_dependency=True,
    )
    dashboard = constructor.outputs.rai_insights_dashboard
    explanation = step["explanation"](comment="What moves the model", rai_insights_dashboard=dashboard)
    error_analysis = step["error_analysis"](rai_insights_dashboard=dashboard)
    counterfactual = step["counterfactual"](
        rai_insights_dashboard=dashboard, total_CFs=10, desired_class="opposite", features_to_vary=json.dumps(VARIED)
    )
    causal = step["causal"](
        rai_insights_dashboard=dashboard, treatment_features=json.dumps(TREATMENTS), heterogeneity_features="null"
    )
    gather = step["gather"](
        constructor=dashboard,
        insight_1=explanation.outputs.explanation,
        insight_2=error_analysis.outputs.error_analysis,
        insight_3=counterfactual.outputs.counterfactual,
        insight_4=causal.outputs.causal,
    )
    scorecard = step["scorecard"](
        dashboard=gather.outputs.dashboard,
        pdf_generation_config=Input(type=URI_FILE, path=rai.scorecard_config, mode="download"),
    )
    nodes = (constructor, explanation, error_analysis, counterfactual, causal, gather, scorecard)
    for name, node in zip(COMPONENTS, nodes, strict=True):
        node.name = name
    inputs.name = "responsible_ai_inputs"
    for output in (gather.outputs.dashboard, gather.outputs.ux_json):
        output.mode = "upload"
    return {
        "dashboard": gather.outputs.dashboard,
        "ux_json": gather.outputs.ux_json,
        "scorecard": scorecard.outputs.scorecard,
    }
