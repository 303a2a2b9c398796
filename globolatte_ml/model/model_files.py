"""How a fitted model is stored: one JSON document for words and numbers, one npz for arrays; no pickle.

A folder written by an earlier release may also hold `preference_model.onnx`, from which it answered requests; it is not read any more.
"""

import json
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.vocabulary import Vocabulary
from globolatte_ml.model.feature_space import FeatureSpace, circumstance_names
from globolatte_ml.model.features import feature_names
from globolatte_ml.model.habit import HabitExpert, HabitParameters, HabitTables, kinds_of_columns
from globolatte_ml.model.predicting import FittedModel
from globolatte_ml.model.tabular import TabularClassifier
from globolatte_ml.model.taste import TasteParameters

SCHEMA, WITHOUT_HABITS = "globolatte-preference-model/4", "globolatte-preference-model/3"
"""What has an expert of habits, and what has none: models of few orders, and those of earlier releases, whose content hash stays."""
DOCUMENT_NAME = "preference_model.json"
ARRAYS_NAME = "preference_model.npz"
TABULAR_NAME = "tabular.onnx"
WORDS = tuple(field.name for field in fields(Vocabulary))
SPACE_NUMBERS = ("concentration", "lines_per_order", "holiday_share")
SPACE_ARRAYS = ("popularity", "weather_mix", "daypart_mix")
NUMBERS = {
    **{name: name for name in ("groups", "draws", "iterations", "random_state")},
    **{name: f"{name}_" for name in ("floor", "penalty", "half_life", "n_orders")},
}
"""Attributes of the model, by the name under which the document has them; `ARRAYS`, by that in the npz."""
ARRAYS = {name: f"{name}_" for name in ("sold", "coef", "intercept", "blend", "draws")}
TASTE_ARRAYS = tuple(field.name for field in fields(TasteParameters))
HABIT_ARRAYS = tuple(field.name for field in fields(HabitParameters))
HABIT_TABLES = tuple(field.name for field in fields(HabitTables))


def save(model: FittedModel, folder: Path) -> None:
    """Write the two files."""
    folder.mkdir(parents=True, exist_ok=True)
    document = json.dumps(_words_and_numbers(model), indent=2, sort_keys=True)
    (folder / DOCUMENT_NAME).write_text(document + "\n", encoding="utf-8")
    arrays: dict[str, Any] = _arrays(model)
    np.savez(folder / ARRAYS_NAME, **arrays)
    if model.tabular is not None:
        (folder / TABULAR_NAME).write_bytes(model.tabular.graph)


def restore(model: FittedModel, folder: Path) -> None:
    """Fill `model` with what `folder` holds; raises InvalidDataError when that cannot be used."""
    document, arrays = _read_document(folder / DOCUMENT_NAME), _read_arrays(folder / ARRAYS_NAME)
    vocabulary = Vocabulary(*(tuple(document[name]) for name in WORDS))
    model.penalties, model.half_lives = tuple(document["penalties"]), tuple(document["half_lives"])
    for name, attribute in NUMBERS.items():
        setattr(model, attribute, document[name])
    for name, attribute in ARRAYS.items():
        setattr(model, attribute, arrays[name])
    learned: dict[str, Any] = {name: document[name] for name in SPACE_NUMBERS}
    learned |= {name: arrays[name] for name in SPACE_ARRAYS}
    model.space_ = FeatureSpace(
        vocabulary=vocabulary,
        **learned,
        first_date=np.datetime64(document["first_date"], "D"),
        last_date=np.datetime64(document["last_date"], "D"),
        has_counts=document.get("has_counts", True),
    )
    model.classes_ = np.array(vocabulary.products)
    model.taste_, model.habit_ = _taste(arrays), _habit(document, arrays, vocabulary)
    model.tabular, model.tabular_sold_ = _tabular(document, folder), arrays.get("tabular_sold", np.zeros(0, np.int64))
    model.validation_log_loss_ = {(penalty, half): loss for penalty, half, loss in document["validation_log_loss"]}
    if tuple(document["features"]) != feature_names(model.space_) or tuple(
        document["circumstances"]
    ) != circumstance_names(vocabulary):
        raise InvalidDataError(f"{folder}: the model was fitted on other features than this code computes; train again")


def as_document(model: FittedModel) -> dict[str, Any]:
    """Every learned number and word as JSON values: what the content hash is taken over."""
    return _words_and_numbers(model) | {name: array.tolist() for name, array in _arrays(model).items()}


def _words_and_numbers(model: FittedModel) -> dict[str, Any]:
    space = model.space_
    return {
        **({"schema": WITHOUT_HABITS} if model.habit_ is None else {"schema": SCHEMA, "has_counts": space.has_counts}),
        **{name: list(getattr(space.vocabulary, name)) for name in WORDS},
        "features": list(feature_names(space)),
        "circumstances": list(circumstance_names(space.vocabulary)),
        **{name: getattr(space, name) for name in SPACE_NUMBERS},
        "first_date": str(space.first_date),
        "last_date": str(space.last_date),
        **{name: getattr(model, attribute) for name, attribute in NUMBERS.items()},
        "validation_log_loss": [
            [*candidate, round(loss, 10)] for candidate, loss in model.validation_log_loss_.items()
        ],
        "penalties": list(model.penalties),
        "half_lives": list(model.half_lives),
        **(
            {}
            if model.tabular is None
            else {"tabular": {"sha256": model.tabular.sha256, "algorithm": model.tabular.algorithm}}
        ),
    }


def _arrays(model: FittedModel) -> dict[str, np.ndarray]:
    taste = {} if model.taste_ is None else {f"taste_{name}": getattr(model.taste_, name) for name in TASTE_ARRAYS}
    return {
        **{name: getattr(model.space_, name) for name in SPACE_ARRAYS},
        **{name: getattr(model, attribute) for name, attribute in ARRAYS.items()},
        **taste,
        **_habit_arrays(model),
        **({} if model.tabular is None else {"tabular_sold": model.tabular_sold_}),
    }


def _taste(arrays: dict[str, np.ndarray]) -> TasteParameters | None:
    """The taste model's parameters; none if the model was fitted without."""
    found = {name: arrays[f"taste_{name}"] for name in TASTE_ARRAYS if f"taste_{name}" in arrays}
    return TasteParameters(**found) if found else None


def _habit_arrays(model: FittedModel) -> dict[str, np.ndarray]:
    if model.habit_ is None:
        return {}
    learned = {f"habit_{name}": getattr(model.habit_.parameters, name) for name in HABIT_ARRAYS}
    return learned | {f"habit_{name}": getattr(model.habit_.tables, name) for name in HABIT_TABLES}


def _habit(document: dict[str, Any], arrays: dict[str, np.ndarray], words: Vocabulary) -> HabitExpert | None:
    """The expert of habits; none if the model was fitted without."""
    if document["schema"] == WITHOUT_HABITS:
        return None
    learned = HabitParameters(**{name: arrays[f"habit_{name}"] for name in HABIT_ARRAYS})
    tables = HabitTables(**{name: arrays[f"habit_{name}"] for name in HABIT_TABLES})
    return HabitExpert(learned, tables, kinds_of_columns(words))


def _tabular(document: dict[str, Any], folder: Path) -> TabularClassifier | None:
    """The tabular classifier; none if the model has a regression."""
    stored = document.get("tabular")
    if stored is None:
        return None
    file = folder / TABULAR_NAME
    if not file.is_file():
        raise InvalidDataError(f"{file}: the file is missing; train the model again")
    found = TabularClassifier(file.read_bytes(), stored["algorithm"])
    if found.sha256 != stored["sha256"]:
        raise InvalidDataError(f"{file}: is not the classifier that the model was made with; train again")
    return found


def _read_document(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InvalidDataError(f"{path}: the file is missing; this is not a saved preference model, train one")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if document.get("schema") not in (SCHEMA, WITHOUT_HABITS):
        raise InvalidDataError(
            f"{path}: format {document.get('schema')!r} is neither {SCHEMA!r} nor {WITHOUT_HABITS!r}; train the model again"
        )
    return document


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InvalidDataError(f"{path}: missing or damaged ({error}); train the model again") from error
