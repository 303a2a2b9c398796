"""The contract of every `MLPlatform`. An implementation joins by a builder of its own in `PLATFORMS`.

What only one implementation has (folders, jobs in a cloud) is tested beside that implementation.
"""

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.recommendations import Request
from globolatte_ml.scoring.scorer import Scorer, resolve_model_folder
from globolatte_ml.training.evaluation import evaluate_model
from globolatte_ml.training.promotion import promotion_verdict
from resources.ml.azureml.platform import AzureMLPlatform
from resources.ml.local.platform import LocalMLPlatform
from resources.ml.ml_platform import CHALLENGER, CHAMPION, MLPlatform, Snapshot, TrainedModel
from resources.ml.training_method import MethodKind, training_method
from tests.azureml_builders import platform_on
from tests.endpoint_builders import ml_builders, publish_state

Chosen = tuple[MethodKind, Path | None]
"""GLOBOLATTE_TRAINING and GLOBOLATTE_TRAINING_FILE."""
DEFAULT: Chosen = (MethodKind.COMMAND, None)


def local(request: pytest.FixtureRequest, folder: Path, chosen: Chosen = DEFAULT) -> MLPlatform:
    kind, file = chosen
    return LocalMLPlatform(folder=str(folder / "mlflow"), training=kind, training_file=file and str(file))


def azureml(request: pytest.FixtureRequest, folder: Path, chosen: Chosen = DEFAULT) -> MLPlatform:
    workspace = "contract" if chosen == DEFAULT else f"contract-{chosen[0]}"
    standin = request.getfixturevalue("_running_azureml")
    return platform_on(standin, workspace, folder / "copies", training_method(*chosen))


PLATFORMS: list[Callable[..., MLPlatform]] = [local, azureml]
METHODS = """
[sweep]
sampling = "grid"
trials = 2
space = {penalty = {kind = "choice", values = [1e-6, 0.05]}}

[automl]
metric = "accuracy"
trials = 2
concurrent = 1
blocked = ["logistic_regression", "light_gbm", "gradient_boosting"]
"""
"""Each method as small as it can be; what is not named has its defaults."""


@pytest.fixture(params=PLATFORMS, scope="module", ids=lambda make: make.__name__)
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MLPlatform:
    """One platform for the whole suite, since training takes seconds: the tests build on each other in their order."""
    made: MLPlatform = request.param(request, tmp_path_factory.mktemp("platform"))
    return made


@pytest.fixture(autouse=True)
def _reachable(request: pytest.FixtureRequest) -> None:
    """A test of a platform on Azure reaches the stand-in."""
    if "platform" in request.fixturenames and isinstance(request.getfixturevalue("platform"), AzureMLPlatform):
        request.getfixturevalue("azureml")


TRAINED: dict[int, TrainedModel] = {}


@pytest.fixture
def trained(platform: MLPlatform) -> TrainedModel:
    """A model of the snapshot `one`, trained once for the suite."""
    if id(platform) not in TRAINED:
        TRAINED[id(platform)] = train(platform, keep(platform, "one", seed=0))
    return TRAINED[id(platform)]


def keep(platform: MLPlatform, name: str, seed: int) -> Snapshot:
    """A snapshot of a small chain."""
    build = ml_builders()
    staging = platform.snapshot_staging(name)
    build.write_snapshot(build.chain(n_orders=300, seed=seed), staging)
    return platform.keep_snapshot(staging, name)


def train(platform: MLPlatform, snapshot: Snapshot) -> TrainedModel:
    """Trains inside a run, as the asset does."""
    results: list[TrainedModel] = []

    @dg.asset
    def preference_model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        results.append(platform.train(context, snapshot))
        return dg.MaterializeResult()

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([preference_model], instance=instance)
    return results[0]


def files_in(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_an_empty_platform_says_what_to_do(platform: MLPlatform) -> None:
    assert platform.model(CHAMPION) is None
    assert platform.model(CHALLENGER) is None
    with pytest.raises(FileNotFoundError, match="materialize models/training_snapshot"):
        platform.latest_snapshot()
    with pytest.raises(FileNotFoundError, match=r"snapshot nowhere .*materialize models/training_snapshot"):
        platform.snapshot("nowhere")
    assert platform.describe()


def test_a_stored_snapshot_can_be_read_by_its_name_and_is_the_latest(platform: MLPlatform) -> None:
    kept = keep(platform, "one", seed=0)
    assert kept.name == "one"
    assert {"examples.parquet", "example_products.parquet", "products.parquet"} <= set(files_in(kept.folder))
    assert files_in(platform.snapshot("one").folder) == files_in(kept.folder)
    assert platform.latest_snapshot().name == "one"


def test_a_snapshot_stored_again_is_left_as_it_is_and_becomes_the_latest(platform: MLPlatform) -> None:
    first = files_in(platform.snapshot("one").folder)
    keep(platform, "two", seed=1)
    assert platform.latest_snapshot().name == "two"
    staging = platform.snapshot_staging("again")
    (staging / "examples.parquet").write_bytes(b"something else")
    assert files_in(platform.keep_snapshot(staging, "one").folder) == first
    assert platform.latest_snapshot().name == "one"


def test_training_leaves_a_model_with_its_metrics(platform: MLPlatform, trained: TrainedModel) -> None:
    assert trained.snapshot == "one"
    assert trained.job_id
    assert trained.metrics["log_loss"] < trained.metrics["baseline_log_loss_popularity"]
    assert trained.parameters["training_orders"]
    assert (trained.folder / "MLmodel").is_file()
    model = PreferenceModel.load(resolve_model_folder(trained.folder))
    assert model.content_hash() == trained.content_hash


def test_a_registered_model_is_challenger_and_the_same_content_is_the_same_version(
    platform: MLPlatform, trained: TrainedModel
) -> None:
    first = platform.register(trained)
    again = platform.register(trained)
    assert platform.model(CHALLENGER) == again == first
    assert (first.content_hash, first.snapshot) == (trained.content_hash, trained.snapshot)
    assert first.job_id == trained.job_id
    assert first.reasons == ()
    assert PreferenceModel.load(resolve_model_folder(first.folder)).content_hash() == trained.content_hash
    assert platform.model(CHAMPION) is None


def test_a_promoted_version_is_champion_with_its_reasons(platform: MLPlatform, trained: TrainedModel) -> None:
    version = platform.register(trained)
    reasons = ("It is better by 0.1 nats.", "Ünit 'BU_US' is not worse; \"quoted\", and, with commas.")
    platform.promote(version, reasons)
    champion = platform.model(CHAMPION)
    assert champion is not None
    assert (champion.version, champion.reasons) == (version.version, reasons)


def test_another_model_becomes_challenger_and_then_champion(platform: MLPlatform, trained: TrainedModel) -> None:
    before = platform.model(CHAMPION)
    other = platform.register(train(platform, platform.snapshot("two")))
    assert before is not None
    assert other.version != before.version
    assert platform.model(CHALLENGER) == other
    assert platform.model(CHAMPION) == before
    platform.promote(other, ["Better."])
    champion = platform.model(CHAMPION)
    assert champion is not None
    assert (champion.version, champion.reasons) == (other.version, ("Better.",))
    platform.promote(before, ["Back again."])
    assert platform.model(CHAMPION).version == before.version
    assert platform.register(trained).version == before.version, "a champion's content is the same version"


def test_a_broken_snapshot_fails_the_training_with_the_reason(platform: MLPlatform) -> None:
    staging = platform.snapshot_staging("broken")
    shutil.copytree(platform.snapshot("one").folder, staging, dirs_exist_ok=True)
    (staging / "examples.parquet").unlink()
    broken = platform.keep_snapshot(staging, "broken")
    with pytest.raises(Exception, match=r"(?s)examples\.parquet|code 2"):
        train(platform, broken)
    assert platform.model(CHALLENGER) is not None


HELD_BY_TESTS_OF_THEIR_OWN = {(local, MethodKind.COMMAND), *((azureml, kind) for kind in MethodKind)}
"""The command by the tests above and by every whole run; sweep, AutoML and pipeline on Azure ML in tests/unit/azureml/."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        pytest.param(
            make,
            kind,
            id=f"{make.__name__}-{kind}",
            marks=[pytest.mark.depth] if (make, kind) in HELD_BY_TESTS_OF_THEIR_OWN else [],
        )
        for make in PLATFORMS
        for kind in MethodKind
    ],
)
def test_each_way_to_train_gives_a_model_that_is_registered_evaluated_and_served(
    request: pytest.FixtureRequest, make: Callable[..., MLPlatform], kind: MethodKind, tmp_path: Path
) -> None:
    if make is azureml:
        request.getfixturevalue("azureml")
    file = tmp_path / "training.toml"
    file.write_text(METHODS)
    platform = make(request, tmp_path, (kind, file))
    snapshot = keep(platform, "one", seed=0)
    trained = train(platform, snapshot)
    assert trained.method is kind

    version = platform.register(trained)
    assert platform.model(CHALLENGER) == version
    evaluated = evaluate_model(resolve_model_folder(version.folder), read_snapshot(snapshot.folder))
    assert evaluated.model_version == trained.content_hash == version.content_hash
    assert evaluated.model.log_loss == pytest.approx(trained.metrics["log_loss"])
    verdict = promotion_verdict(evaluated, None)
    assert all(verdict.reasons), "the same gates decide"
    platform.promote(version, verdict.reasons)
    assert platform.model(CHAMPION).reasons == verdict.reasons

    state = publish_state(tmp_path / "endpoints", "state-1")
    scorer = Scorer.from_folders(version.folder, state)
    (answer,) = scorer.recommend([Request("C0001", "Canada", "Snowy", dt.date(2022, 3, 1))])
    assert sum(one.probability for one in answer.ranked) == pytest.approx(1)
    assert next(scorer.batch(dt.date(2022, 3, 1))).num_rows > 0
