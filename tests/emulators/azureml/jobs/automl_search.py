"""The program of an AutoML job: a search over scikit-learn classifiers on an MLTable, by cross-validation or on a second table.

It runs in the job's process and imports nothing of the stand-in. Azure searches more widely, over engineered features and
ensembles; the shape of what is requested and of what comes back is the same.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCORING = {
    "Accuracy": "accuracy", "AUCWeighted": "roc_auc_ovr_weighted", "NormMacroRecall": "balanced_accuracy",
    "PrecisionScoreWeighted": "precision_weighted", "AveragePrecisionScoreWeighted": "average_precision",
}  # fmt: skip
UNDERSTOOD = ("read_delimited", "read_parquet", "keep_columns", "drop_columns")


def main() -> None:
    """Tries, scores, keeps the best."""
    given = _arguments()
    requested = json.loads(given.task.read_text())
    table = read_mltable(given.table)
    target = requested["targetColumnName"]
    if target not in table:
        sys.exit(f"target column {target} is not in the data: {', '.join(table.columns)}")
    features, labels = table.drop(columns=[target]), table[target]
    later = read_mltable(given.validation) if given.validation else None
    trials = [
        _tried(requested, (features, labels), later, name, number) for number, name in enumerate(_plan(requested))
    ]
    best = max(trials, key=lambda trial: trial["score"])
    import mlflow

    model = _pipeline(features, best["algorithm"], best["number"]).fit(features, labels)
    mlflow.sklearn.save_model(
        model, str(given.output / "mlflow-model"), serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
    )
    if (requested.get("trainingSettings") or {}).get("enableOnnxCompatibleModels"):
        (given.output / "model.onnx").write_bytes(_as_onnx(model, features))
    shown = [{name: value for name, value in trial.items() if name != "number"} for trial in trials]
    (given.output / "trials.json").write_text(json.dumps({"trials": shown, "best": trials.index(best)}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("task", "table", "validation", "output"):
        parser.add_argument(f"--{name}", type=Path)
    return parser.parse_args()


def read_mltable(folder: Path) -> Any:
    """The table that a folder with an `MLTable` file describes, as a data frame."""
    import pandas as pd
    import yaml

    table_file = yaml.safe_load((folder / "MLTable").read_text())
    files = [
        file
        for entry in table_file["paths"]
        for file in sorted(folder.glob(next(iter(entry.values())).removeprefix("./")))
    ]
    steps = [step if isinstance(step, dict) else {step: {}} for step in table_file.get("transformations") or []]
    unknown = [name for step in steps for name in step if name not in UNDERSTOOD]
    if unknown or not files:
        sys.exit(f"MLTable: {'transformation ' + unknown[0] + ' is not understood' if unknown else 'no files'}")
    options = {name: value or {} for step in steps for name, value in step.items()}
    if "read_parquet" in options:
        table = pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)
    else:
        delimiter = options.get("read_delimited", {}).get("delimiter", ",")
        table = pd.concat([pd.read_csv(file, sep=delimiter) for file in files], ignore_index=True)
    if "keep_columns" in options:
        table = table[options["keep_columns"]]
    return table.drop(columns=options.get("drop_columns") or [])


def _algorithms() -> dict[str, Callable[[int], Any]]:
    """Azure's names, and what stands for them; the number of the trial varies the settings."""
    from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import BernoulliNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.tree import DecisionTreeClassifier

    return {
        "LogisticRegression": lambda number: LogisticRegression(C=10.0 ** (number % 3 - 1), max_iter=1000),
        "GradientBoosting": lambda number: HistGradientBoostingClassifier(
            max_iter=50 * (number % 3 + 1), random_state=number
        ),
        "RandomForest": lambda number: RandomForestClassifier(50, max_depth=4 + number, random_state=number),
        "ExtremeRandomTrees": lambda number: ExtraTreesClassifier(50, max_depth=4 + number, random_state=number),
        "DecisionTree": lambda number: DecisionTreeClassifier(max_depth=3 + number, random_state=number),
        "BernoulliNaiveBayes": lambda number: BernoulliNB(alpha=1.0 / (number + 1)),
        "KNN": lambda number: KNeighborsClassifier(3 + 2 * number),
    }


def _plan(requested: dict[str, Any]) -> list[str]:
    """Which algorithm each trial tries."""
    settings = requested.get("trainingSettings") or {}
    allowed = settings.get("allowedTrainingAlgorithms")
    blocked = settings.get("blockedTrainingAlgorithms") or []
    names = [name for name in _algorithms() if name not in blocked and (not allowed or name in allowed)]
    if not names:
        sys.exit("no algorithm is left: allow one of " + ", ".join(_algorithms()))
    trials = (requested.get("limitSettings") or {}).get("maxTrials") or len(names)
    return [names[number % len(names)] for number in range(trials)]


def _tried(requested: dict[str, Any], table: Any, later: Any, algorithm: str, number: int) -> dict[str, Any]:
    from sklearn.metrics import get_scorer
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    folds = (requested.get("nCrossValidations") or {}).get("value") or 5
    metric, target = requested.get("primaryMetric") or "AUCWeighted", requested["targetColumnName"]
    model = _pipeline(table[0], algorithm, number)
    if later is not None:
        scored = later[later[target].isin(table[1].unique())]
        if SCORING[metric].startswith("roc_auc") and scored[target].nunique() < table[1].nunique():
            sys.exit(f"{metric}: the validation data lack some of the classes of the training data")
        score = float(get_scorer(SCORING[metric])(model.fit(*table), scored.drop(columns=[target]), scored[target]))
    else:
        splits = StratifiedKFold(folds, shuffle=True, random_state=0)
        score = float(cross_val_score(model, *table, cv=splits, scoring=SCORING[metric]).mean())
    print(f"trial {number}: {algorithm} {metric} {score:.4f}", flush=True)
    return {"algorithm": algorithm, "score": score, "number": number}


def _as_onnx(model: Any, features: Any) -> bytes:
    """As Azure writes it: an input for each column, the probabilities behind a ZipMap."""
    from skl2onnx import to_onnx

    numbers = features.select_dtypes("number").columns
    narrow = features[:1].astype(dict.fromkeys(numbers, "float32"))
    written: bytes = to_onnx(model, narrow, target_opset={"": 15, "ai.onnx.ml": 3}).SerializeToString()
    return written


def _pipeline(features: Any, algorithm: str, number: int) -> Any:
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), make_column_selector(dtype_exclude="number")),
        (SimpleImputer(), make_column_selector(dtype_include="number")),
    )
    return make_pipeline(encode, _algorithms()[algorithm](number))


if __name__ == "__main__":
    main()
