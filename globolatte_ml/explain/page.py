"""One self-contained HTML page per model version: pictures inside, nothing fetched, no script."""

import base64
import html
from collections.abc import Mapping

from globolatte_ml.explain import plots
from globolatte_ml.explain.analysis import Analysis, Portrait
from globolatte_ml.explain.card import Identity, literal, model_card, table
from globolatte_ml.training.evaluation import Evaluation

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #2b2118; max-width: 860px; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { border-bottom: 1px solid #d9c7b3; padding-bottom: .2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: .6rem 0; }
td, th { padding: .25rem .7rem; border-bottom: 1px solid #eee; text-align: left; vertical-align: top; }
img { max-width: 100%; } code { background: #f5efe8; padding: 0 .25rem; } .quiet { color: #6d635b; }
"""
ASSUMPTIONS = (
    "within a unit and a month of the year it is chance which weather a day has",
    "who comes in does not depend on the weather beyond what is known of them",
    "both weathers were seen there; orders of units and months without overlap are left out",
    "one order's weather does not act on another order",
)


def page(identity: Identity, evaluation: Evaluation, analysis: Analysis, names: Mapping[str, str]) -> str:
    """The page: the model card first, then the analyses behind it. All of it is written as Markdown."""
    from markdown_it import MarkdownIt

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
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render("\n\n".join(sections))
    title = html.escape(f"Preference model, version {identity.version}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body>{body}</body></html>"
    )


def _global(analysis: Analysis) -> list[str]:
    if analysis.explanations is None:
        return ["There was no holdout to explain."]
    return [
        "Exact Shapley values of eight parts of the input, against orders drawn from the training part: what each adds to "
        "the probabilities "
        "when it becomes known, averaged over all sequences in which the parts could become known.",
        _picture(plots.importance_chart(analysis.explanations), "importance of each part"),
    ]


def _portrait(one: Portrait) -> list[str]:
    turned = [f"- {literal(t.text)}: {literal(t.product)} first, with {t.probability:.0%}" for t in one.turned]
    would = (
        ["What would have turned it:", "\n".join(turned)]
        if turned
        else ["No single change of circumstances, nor eight further orders of one product, turns it."]
    )
    head = f"Order {one.order_id}: {one.first} with {one.probability:.0%}; bought: {one.bought}"
    picture = _picture(plots.portrait_chart(one.values, one.base, one.probability), "what added to the probability")
    return [f"### {literal(head)}", literal(one.words), picture, *would]


def _errors(analysis: Analysis) -> list[str]:
    rows = [
        (literal(leaf.rule), f"{leaf.orders:,}", f"{leaf.log_loss:.3f}", f"{leaf.hit_rate:.1%}")
        for leaf in analysis.leaves
    ]
    tree = [
        "Rules of a shallow tree, worst first: found on one half of the customers, measured on the other.",
        table(("orders for which", "orders", "log loss", "hit@1"), rows),
    ]
    heat = [] if analysis.heat is None else [_picture(plots.error_map(analysis.heat), "errors by history and unit")]
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
    return [note, _picture(plots.fairness_chart(analysis.groups), "quality by group"), table(head, rows)]


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
        _picture(plots.effect_chart(analysis.effects, analysis.products, names), "effects of weather"),
        "Placebo: the largest difference, in standard errors, in what customers chose the time before, which weather cannot "
        f"have caused; {limit}.",
        table(("", "orders", "left out", "placebo"), rows),
    ]


def _picture(png: bytes, alt: str) -> str:
    return f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode()})"
