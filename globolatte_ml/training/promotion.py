"""The promotion decision: a pure function from two evaluations to a verdict with its reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass

from globolatte_ml.model.metrics import Metrics
from globolatte_ml.training.evaluation import POPULARITY, Evaluation
from globolatte_ml.training.proofs import Proofs


@dataclass(frozen=True)
class Gates:
    """Limits of the gates. Log losses are nats per order.

    Attributes:
        minimum_holdout_orders: below, a holdout proves nothing.
        minimum_gain_over_champion: a smaller gain in log loss counts as a draw, and a draw keeps the champion.
        maximum_calibration_error: highest acceptable expected calibration error on a large holdout.
        calibration_noise: added to that limit, divided by the root of the number of holdout orders: about what a perfectly
            calibrated model shows on so few orders (mean absolute deviation of a binomial share in ten bins).
        tolerance: how much worse than the champion the challenger may be at the lower end of the 95 % bootstrap interval.
        minimum_group_orders: smaller groups are no evidence about fairness.
        maximum_microseconds: median time of one prediction. maximum_bytes: size of the model folder.
        tie: how far apart two log losses may be and still be called equal, where nothing can beat popularity.
    """

    minimum_holdout_orders: int = 100
    minimum_gain_over_champion: float = 0.0005
    maximum_calibration_error: float = 0.05
    calibration_noise: float = 0.4
    tolerance: float = 0.03
    minimum_group_orders: int = 100
    maximum_microseconds: float = 20_000.0
    maximum_bytes: int = 100_000_000
    tie: float = 0.001


GATES = Gates()


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger becomes champion; one sentence per gate, passed or failed."""

    promoted: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Finding:
    """`passed` is None if there was nothing to measure, which does not prevent a promotion."""

    passed: bool | None
    sentence: str

    def __str__(self) -> str:
        outcome = {True: "Passed", False: "Failed", None: "Not evaluated"}[self.passed]
        return f"{outcome}: {self.sentence}"


def promotion_verdict(challenger: Evaluation, champion: Evaluation | None, gates: Gates = GATES) -> Verdict:
    """Promote a challenger that passes every gate.

    A first model without enough holdout orders is promoted because there is no other, and the reasons say so.
    """
    if champion is not None and champion.model_version == challenger.model_version:
        return Verdict(False, (f"Failed: same model ({challenger.model_version[:12]}), nothing to promote.",))
    if challenger.model is None or challenger.holdout_orders < gates.minimum_holdout_orders:
        return _unproven(challenger, champion, gates)
    findings = [
        _Finding(True, f"{challenger.holdout_orders} holdout orders (at least {gates.minimum_holdout_orders})."),
        _beats_popularity(challenger.model, challenger.baselines[POPULARITY], gates),
        _is_calibrated(challenger.model, challenger.holdout_orders, gates),
        _beats_champion(challenger, champion, gates),
        _is_no_worse_beyond_chance(challenger, champion, gates),
        _is_fair(challenger, gates),
        *proof_findings(challenger.proofs, gates),
    ]
    return Verdict(all(finding.passed is not False for finding in findings), tuple(map(str, findings)))


def _unproven(challenger: Evaluation, champion: Evaluation | None, gates: Gates) -> Verdict:
    count = (
        f"{challenger.holdout_orders} holdout orders, at least {gates.minimum_holdout_orders} are needed for a proof"
    )
    if champion is None:
        promoted_for_want = "Passed: there is no champion yet, so this first model serves, unproven."
        return Verdict(True, (f"Not evaluated: {count}.", promoted_for_want))
    return Verdict(False, (f"Failed: {count}; the champion stays.",))


def _beats_popularity(model: Metrics, popularity: Metrics, gates: Gates) -> _Finding:
    ours, theirs = model.log_loss, popularity.log_loss
    if popularity.hit_rate_at_1 == 1.0 and abs(ours - theirs) <= gates.tie:
        return _Finding(
            True, f"every holdout order is the most popular product; log loss {ours:.4f} ties {theirs:.4f}."
        )
    passed = ours < theirs
    below = "below" if passed else "not below"
    return _Finding(passed, f"log loss {ours:.4f} is {below} the {theirs:.4f} of the popularity baseline.")


def _is_calibrated(model: Metrics, holdout_orders: int, gates: Gates) -> _Finding:
    error = model.expected_calibration_error
    limit = _limit(holdout_orders, gates)
    passed = error <= limit
    return _Finding(
        passed, f"expected calibration error {error:.4f} is {'within' if passed else 'above'} the limit of {limit:.4f}."
    )


def _beats_champion(challenger: Evaluation, champion: Evaluation | None, gates: Gates) -> _Finding:
    if champion is None:
        return _Finding(True, "there is no champion to beat.")
    if champion.holdout_id != challenger.holdout_id or champion.model is None or challenger.model is None:
        return _Finding(
            False,
            f"the champion was evaluated on another holdout ({champion.holdout_id[:8]}, not {challenger.holdout_id[:8]}); "
            "evaluate it on the challenger's.",
        )
    ours, theirs, needed = challenger.model.log_loss, champion.model.log_loss, gates.minimum_gain_over_champion
    passed = theirs - ours >= needed
    return _Finding(
        passed,
        f"log loss {ours:.4f} against the champion's {theirs:.4f}: a gain of {theirs - ours:.4f}, "
        f"{'at least' if passed else 'less than'} the required {needed:.4f}.",
    )


def _is_no_worse_beyond_chance(challenger: Evaluation, champion: Evaluation | None, gates: Gates) -> _Finding:
    gain = challenger.gain_over_champion
    if champion is None or gain is None:
        return _Finding(None, "no champion's predictions to compare order by order.")
    passed = gain.low > -gates.tolerance
    return _Finding(
        passed,
        f"gain over the champion between {gain.low:+.4f} and {gain.high:+.4f} (95 % bootstrap over customers); its lower end is "
        f"{'above' if passed else 'not above'} {-gates.tolerance:.4f}.",
    )


def _is_fair(challenger: Evaluation, gates: Gates) -> _Finding:
    """No region and no length of history is answered with probabilities that are off by more than is allowed to all."""
    groups = {
        name: group
        for name, group in {**challenger.by_business_unit, **challenger.by_history}.items()
        if group.orders >= gates.minimum_group_orders
    }
    if not groups:
        return _Finding(None, f"no region or history length has {gates.minimum_group_orders} holdout orders.")
    errors = {name: (group.expected_calibration_error, _limit(group.orders, gates)) for name, group in groups.items()}
    worst, (error, limit) = max(errors.items(), key=lambda one: one[1][0] - one[1][1])
    passed = error <= limit
    return _Finding(
        passed,
        f"fairness: of {len(groups)} regions and history lengths {worst!r} is served worst, with a calibration error of {error:.4f}, "
        f"{'within' if passed else 'above'} the limit of {limit:.4f}.",
    )


def _limit(orders: int, gates: Gates) -> float:
    """Highest acceptable calibration error on so many orders."""
    return gates.maximum_calibration_error + gates.calibration_noise / math.sqrt(orders)


def proof_findings(proofs: Proofs | None, gates: Gates) -> list[_Finding]:
    """The findings from the training job's proofs: leakage, reproducibility, latency, size."""
    if proofs is None:
        return [_Finding(None, "the training job stored no proofs of leakage, reproducibility, latency and size.")]
    again = "the same" if proofs.same_hash_again else "another"
    return [
        _Finding(
            proofs.states_differ == 0,
            f"leakage: {proofs.states_differ} of {proofs.replayed_orders} holdout orders have a state that earlier dates do not give.",
        ),
        _Finding(
            proofs.same_hash_again,
            f"reproducibility and leakage: trained again on {proofs.refitted_orders} orders, with the holdout's outcomes shuffled, "
            f"the content hash is {again}.",
        ),
        _Finding(
            proofs.microseconds <= gates.maximum_microseconds,
            f"latency: one prediction takes {proofs.microseconds:.0f} µs (at most {gates.maximum_microseconds:.0f}).",
        ),
        _Finding(
            proofs.bytes <= gates.maximum_bytes,
            f"size: {proofs.bytes / 1e6:.1f} MB (at most {gates.maximum_bytes / 1e6:.0f}).",
        ),
    ]
