"""One self-contained HTML page per model version: pictures inside, nothing fetched, no script."""

from collections.abc import Mapping

from globolatte_ml.explain import plots
from globolatte_ml.explain.analysis import Analysis, Portrait
from globolatte_ml.explain.card import Identity, model_card
from globolatte_ml.figures import picture
from globolatte_ml.pages import html_page, literal, table
from globolatte_ml.training.evaluation import Evaluation

ASSUMPTIONS = (
    "within a unit and a month of the year it is chance which weather a day has",
    "who comes in does not depend on the weather beyond what is known of them",
    "both weathers were seen there; orders of units and months without overlap are left out",
    "one order's weather does not act on another order",
)


def page(identity: Identity, evaluation: Evaluation, analysis: Analysis, names: Mapping[str, str]) -> str:
    """The page: the model card first, then the analyses behind it. All of it is written as Markdown."""
    sections = [
        model_card(identity, evaluation, analysis),
        "## Global explanation",
        *_global(analysis),
        "## Single predictions, explained",
        *(part for one in analysis.portraits for part in _portrait(one)),
        "## Counterfactuals",
        "Share of holdout orders whose first choice another circumstance, alone, would turn:",
        table(("circumstance", "turned"), [(kind, f"{share:.0%}") for kind, share in analysis.turned.items()]),
        "## Error analysis",
        *_errors(analysis),
        "## Fairness",
        *_fairness(analysis),
        "## The effect of weather",
        *_effects(analysis, names),
    ]
    return html_page(f"Preference model, version {identity.version}", "\n\n".join(sections))


def _global(analysis: Analysis) -> list[str]:
    if analysis.explanations is None:
        return ["There was no holdout to explain."]
    return [
        "Exact Shapley values of eight parts of the input, against orders drawn from the training part: what each adds to "
        "the probabilities "
        "when it becomes known, averaged over all sequences in which the parts could become known.",
        picture("importance of each part", plots.importance_chart, analysis.explanations),
    ]


def _portrait(one: Portrait) -> list[str]:
    turned = [f"- {literal(t.text)}: {literal(t.product)} first, with {t.probability:.0%}" for t in one.turned]
    would = (
        ["What would have turned it:", "\n".join(turned)]
        if turned
        else ["No single change of circumstances, nor eight further orders of one product, turns it."]
    )
    head = f"Order {one.order_id}: {one.first} with {one.probability:.0%}; bought: {one.bought}"
    portrait = picture("what added to the probability", plots.portrait_chart, one.values, one.base, one.probability)
    return [f"### {literal(head)}", literal(one.words), portrait, *would]


def _errors(analysis: Analysis) -> list[str]:
    rows = [
        (literal(leaf.rule), f"{leaf.orders:,}", f"{leaf.log_loss:.3f}", f"{leaf.hit_rate:.1%}")
        for leaf in analysis.leaves
    ]
    tree = [
        "Rules of a shallow tree, worst first: found on one half of the customers, measured on the other.",
        table(("orders for which", "orders", "log loss", "hit@1"), rows),
    ]
    heat = [] if analysis.heat is None else [picture("errors by history and unit", plots.error_map, analysis.heat)]
    return [*(tree if rows else ["There are too few holdout orders for an error tree."]), *heat]


def _fairness(analysis: Analysis) -> list[str]:
    if not analysis.groups:
        return ["There was no holdout."]
    rows = [
        (
            literal(f"{group.kind} {group.name}"),
            f"{group.orders:,}",
            *(
                f"{one.estimate:.3f} ({one.low:.3f} to {one.high:.3f}){' *' if one.differs else ''}"
                for one in group.measures.values()
            ),
        )
        for group in analysis.groups
    ]
    head = ("group", "orders", *(name.replace("_", " ") for name in analysis.groups[0].measures))
    note = (
        "95 % intervals over customers; * differs from all other orders. People differ in how predictable they are: judge by gain "
        "and calibration, not by log loss alone."
    )
    return [note, picture("quality by group", plots.fairness_chart, analysis.groups), table(head, rows)]


def _effects(analysis: Analysis, names: Mapping[str, str]) -> list[str]:
    if not analysis.effects:
        return ["Only one weather was seen, or never two of them in the same unit and month."]
    limit = "2.6 is to be expected of six products by chance in one of twenty"
    rows = [
        (
            literal(f"{one.treatment} instead of {one.control}"),
            f"{one.orders:,}",
            f"{one.left_out:.0%}",
            f"{one.placebo:.1f}",
        )
        for one in analysis.effects
    ]
    return [
        "How much more often a product is chosen because of the weather, by augmented inverse probability weighting. It is "
        "an effect if:",
        "\n".join(f"- {one}" for one in ASSUMPTIONS),
        picture("effects of weather", plots.effect_chart, analysis.effects, analysis.products, names),
        "Placebo: the largest difference, in standard errors, in what customers chose the time before, which weather cannot "
        f"have caused; {limit}.",
        table(("", "orders", "left out", "placebo"), rows),
    ]
