"""How a fitted model is stored: one JSON document for words and numbers, one npz for arrays; no pickle.

A folder written by an earlier release may also hold `preference_model.onnx`, from which it answered requests; it is not read any more.
"""

from __future__ import annotations

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
from globolatte_ml.model.predicting import FittedModel
from globolatte_ml.model.tabular import TabularClassifier
from globolatte_ml.model.taste import TasteParameters

SCHEMA = "globolatte-preference-model/3"
DOCUMENT_NAME = "preference_model.json"
ARRAYS_NAME = "preference_model.npz"
TABULAR_NAME = "tabular.onnx"
TASTE_ARRAYS = tuple(field.name for field in fields(TasteParameters))


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
    vocabulary = Vocabulary(*(tuple(document[name]) for name in ("products", "business_units", "weathers")))
    model.penalties, model.half_lives = tuple(document["penalties"]), tuple(document["half_lives"])
    model.groups, model.draws, model.iterations = (document[name] for name in ("groups", "draws", "iterations"))
    model.random_state, model.half_life_ = document["random_state"], document["half_life"]
    model.space_ = FeatureSpace(
        vocabulary=vocabulary,
        popularity=arrays["popularity"],
        concentration=document["concentration"],
        daypart_mix=arrays["daypart_mix"],
        lines_per_order=document["lines_per_order"],
        weather_mix=arrays["weather_mix"],
        holiday_share=document["holiday_share"],
        first_date=np.datetime64(document["first_date"], "D"),
        last_date=np.datetime64(document["last_date"], "D"),
    )
    model.classes_ = np.array(vocabulary.products)
    model.sold_, model.coef_, model.intercept_ = arrays["sold"], arrays["coef"], arrays["intercept"]
    model.blend_, model.draws_ = arrays["blend"], arrays["draws"]
    model.taste_ = _taste(arrays)
    model.tabular, model.tabular_sold_ = _tabular(document, folder), arrays.get("tabular_sold", np.zeros(0, np.int64))
    model.floor_, model.penalty_, model.n_orders_ = document["floor"], document["penalty"], document["n_orders"]
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
        "schema": SCHEMA,
        "products": list(space.vocabulary.products),
        "business_units": list(space.vocabulary.business_units),
        "weathers": list(space.vocabulary.weathers),
        "features": list(feature_names(space)),
        "circumstances": list(circumstance_names(space.vocabulary)),
        "concentration": space.concentration,
        "lines_per_order": space.lines_per_order,
        "holiday_share": space.holiday_share,
        "first_date": str(space.first_date),
        "last_date": str(space.last_date),
        "floor": model.floor_,
        "penalty": model.penalty_,
        "half_life": model.half_life_,
        "validation_log_loss": [
            [*candidate, round(loss, 10)] for candidate, loss in model.validation_log_loss_.items()
        ],
        "n_orders": model.n_orders_,
        "penalties": list(model.penalties),
        "half_lives": list(model.half_lives),
        "groups": model.groups,
        "draws": model.draws,
        "iterations": model.iterations,
        "random_state": model.random_state,
        **(
            {}
            if model.tabular is None
            else {"tabular": {"sha256": model.tabular.sha256, "algorithm": model.tabular.algorithm}}
        ),
    }


def _arrays(model: FittedModel) -> dict[str, np.ndarray]:
    taste = {} if model.taste_ is None else {f"taste_{name}": getattr(model.taste_, name) for name in TASTE_ARRAYS}
    return {
        "popularity": model.space_.popularity,
        "weather_mix": model.space_.weather_mix,
        "daypart_mix": model.space_.daypart_mix,
        "sold": model.sold_,
        "coef": model.coef_,
        "intercept": model.intercept_,
        "blend": model.blend_,
        "draws": model.draws_,
        **taste,
        **({} if model.tabular is None else {"tabular_sold": model.tabular_sold_}),
    }


def _taste(arrays: dict[str, np.ndarray]) -> TasteParameters | None:
    """The taste model's parameters; none if the model was fitted without."""
    kept = {name: arrays[f"taste_{name}"] for name in TASTE_ARRAYS if f"taste_{name}" in arrays}
    return TasteParameters(**kept) if kept else None


def _tabular(document: dict[str, Any], folder: Path) -> TabularClassifier | None:
    """The tabular classifier; none if the model has a regression."""
    said = document.get("tabular")
    if said is None:
        return None
    file = folder / TABULAR_NAME
    if not file.is_file():
        raise InvalidDataError(f"{file}: the file is missing; train the model again")
    found = TabularClassifier(file.read_bytes(), said["algorithm"])
    if found.sha256 != said["sha256"]:
        raise InvalidDataError(f"{file}: is not the classifier that the model was made with; train again")
    return found


def _read_document(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InvalidDataError(f"{path}: the file is missing; this is not a saved preference model, train one")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if document.get("schema") != SCHEMA:
        raise InvalidDataError(f"{path}: format {document.get('schema')!r} is not {SCHEMA!r}; train the model again")
    return document


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InvalidDataError(f"{path}: missing or damaged ({error}); train the model again") from error
