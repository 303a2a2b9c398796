"""The model card: what a model is for, what it learned from, how good it is, and where its limits are.

After Mitchell et al., "Model cards for model reporting" (2019).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from globolatte_ml.explain.analysis import Analysis
from globolatte_ml.explain.explanations import PLAYERS
from globolatte_ml.pages import literal, table
from globolatte_ml.training.evaluation import Evaluation

INTENDED_USE = (
    "To rank what a customer is likely to want as the main product of the next order, given unit, date, weather and "
    "hour: for recommendations at the "
    "counter, in the app and in campaigns. People decide what is done with a ranking."
)
NOT_INTENDED = (
    "Prices, credit, employment, or any decision about a person other than which product to show them. Amounts to "
    "produce: the model says what is chosen "
    "at an order, not how many orders there will be. Other chains: it knows the words of this one."
)
LIMITS = (
    "It learns from what was bought: what was sold out, or not offered, it takes for not wanted.",
    "Customers without history get the answer of their unit, season and weather.",
    "Products never sold as a main product get a small, equal probability until they are.",
    "Weather and season act as they did in the training span; what never occurred there is carried over from elsewhere.",
    "Names, e-mail addresses and whereabouts of customers are not among its inputs; habits can still tell of a person, "
    "so that states and rankings are personal data.",
)


@dataclass(frozen=True)
class Identity:
    """Which model this is: registry version, content hash, snapshot, training job, and its own parameters in few words."""

    version: str
    content_hash: str
    snapshot: str
    job_id: str
    kind: str


def model_card(identity: Identity, evaluation: Evaluation, analysis: Analysis) -> str:
    """The card as Markdown."""
    parts = [
        f"# Preference model, version {identity.version}",
        f"{identity.kind}. Content `{identity.content_hash[:12]}`, trained by job `{identity.job_id}` on snapshot `{identity.snapshot}`.",
        "## Intended use",
        INTENDED_USE,
        f"**Not for:** {NOT_INTENDED}",
        "## Data",
        table(
            ("", "", "to be known"),
            [tuple(map(literal, (one.subject, one.value, one.concern))) for one in analysis.data],
        ),
        "## Quality",
        quality(evaluation),
        "## What its predictions depend on",
        _importance(analysis),
        "## Whom it serves less well",
        unequal_groups(analysis),
        "## Limits",
        "\n".join(f"- {limit}" for limit in LIMITS),
    ]
    return "\n\n".join(parts)


def quality(evaluation: Evaluation) -> str:
    """The evaluation in a sentence and a table."""
    if evaluation.model is None:
        return "There was no holdout: the model is unproven."
    rows = {**evaluation.baselines, "**this model**": evaluation.model}
    ordered = sorted(rows.items(), key=lambda item: item[1].log_loss)
    compared = table(
        ("", "log loss", "hit@1", "hit@3", "calibration error"),
        [
            (
                name,
                f"{m.log_loss:.4f}",
                f"{m.hit_rate_at_1:.1%}",
                f"{m.hit_rate_at_3:.1%}",
                f"{m.expected_calibration_error:.4f}",
            )
            for name, m in ordered
        ],
    )
    gain = evaluation.gain_over_popularity
    by = (
        f" It beats popularity by {gain.estimate:.3f} nats per order (95 %: {gain.low:.3f} to {gain.high:.3f})."
        if gain
        else ""
    )
    held = f"{evaluation.holdout_orders:,} orders from {evaluation.holdout_from} to {evaluation.holdout_to}"
    return f"Evaluated on {held}, which it did not learn from.{by}\n\n{compared}"


def unequal_groups(analysis: Analysis) -> str:
    """The groups that differ, one sentence each."""
    words = {
        "hit_rate": "hit rate",
        "gain_over_popularity": "gain over popularity",
        "calibration_gap": "predicted minus observed hit rate",
    }
    sentences = [
        f"- {group.kind} {literal(group.name)} ({group.orders:,} orders): {words[name]} {one.estimate:.3f}, {one.difference:+.3f} "
        "against all others "
        f"(95 %: {one.difference_low:+.3f} to {one.difference_high:+.3f})"
        for group in analysis.groups
        for name, one in group.measures.items()
        if name in words and one.differs and (one.difference < 0 or name == "calibration_gap")
    ]
    return "\n".join(sentences) or "No group is served measurably worse than all others."


def _importance(analysis: Analysis) -> str:
    if analysis.explanations is None:
        return "There was no holdout to explain."
    moved = analysis.explanations.moved()
    ranked = sorted(zip(PLAYERS, moved.tolist(), strict=True), key=lambda item: -item[1])
    return table(("part of the input", "probability moved"), [(player, f"{value:.1%}") for player, value in ranked])


def facts_of(parameters: Mapping[str, object]) -> str:
    """A model's own parameters in few words: plain values only, in the order given."""
    plain = {name: value for name, value in parameters.items() if isinstance(value, int | float | str | bool)}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in plain.items())
