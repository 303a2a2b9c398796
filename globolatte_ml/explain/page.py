"""One self-contained HTML page per model version: pictures inside, nothing fetched, no script."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping, Sequence

from globolatte_ml.explain import plots
from globolatte_ml.explain.analysis import Analysis, Portrait
from globolatte_ml.explain.card import Identity, model_card
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
    """The page: the model card first, then the analyses behind it."""
    title = f"Preference model, version {identity.version}"
    sections = [
        _markdown(model_card(identity, evaluation, analysis)),
        "<h2>Global explanation</h2>",
        *_global(analysis),
        "<h2>Single predictions, explained</h2>",
        *(_portrait(one) for one in analysis.portraits),
        "<h2>Counterfactuals</h2>",
        _turned(analysis),
        "<h2>Error analysis</h2>",
        *_errors(analysis),
        "<h2>Fairness</h2>",
        *_fairness(analysis),
        "<h2>The effect of weather</h2>",
        *_effects(analysis, names),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(sections)}</body></html>"
    )


def _global(analysis: Analysis) -> list[str]:
    if analysis.explanations is None:
        return [_p("There was no holdout to explain.")]
    return [
        _p(
            "Exact Shapley values of eight parts of the input, against orders drawn from the training part: what each adds to "
            "the probabilities "
            "when it becomes known, averaged over all sequences in which the parts could become known."
        ),
        _picture(plots.importance_chart(analysis.explanations), "importance of each part"),
    ]


def _portrait(one: Portrait) -> str:
    turned = [
        f"<li>{html.escape(t.text)}: {html.escape(t.product)} first, with {t.probability:.0%}</li>" for t in one.turned
    ]
    would = (
        f"<p>What would have turned it:</p><ul>{''.join(turned)}</ul>"
        if turned
        else _p("No single change of circumstances, nor eight further orders of one product, turns it.")
    )
    head = f"Order {one.order_id}: {one.first} with {one.probability:.0%}; bought: {one.bought}"
    picture = _picture(plots.portrait_chart(one.values, one.base, one.probability), "what added to the probability")
    return f"<h3>{html.escape(head)}</h3>{_p(one.words)}{picture}{would}"


def _turned(analysis: Analysis) -> str:
    rows = [(kind, f"{share:.0%}") for kind, share in analysis.turned.items()]
    return _p("Share of holdout orders whose first choice another circumstance, alone, would turn:") + _table(
        ("circumstance", "turned"), rows
    )


def _errors(analysis: Analysis) -> list[str]:
    rows = [(leaf.rule, f"{leaf.orders:,}", f"{leaf.log_loss:.3f}", f"{leaf.hit_rate:.1%}") for leaf in analysis.leaves]
    tree = (
        _p("Rules of a shallow tree, worst first: found on one half of the customers, measured on the other.")
        + _table(("orders for which", "orders", "log loss", "hit@1"), rows)
        if rows
        else _p("There are too few holdout orders for an error tree.")
    )
    return [
        tree,
        _picture(plots.error_map(analysis.heat), "errors by history and unit") if analysis.heat is not None else "",
    ]


def _fairness(analysis: Analysis) -> list[str]:
    if not analysis.groups:
        return [_p("There was no holdout.")]
    rows = [
        (
            f"{group.kind} {group.name}",
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
    return [_p(note), _picture(plots.fairness_chart(analysis.groups), "quality by group"), _table(head, rows)]


def _effects(analysis: Analysis, names: Mapping[str, str]) -> list[str]:
    if not analysis.effects:
        return [_p("Only one weather was seen, or never two of them in the same unit and month.")]
    limit = "2.6 is to be expected of six products by chance in one of twenty"
    rows = [
        (f"{one.treatment} instead of {one.control}", f"{one.orders:,}", f"{one.left_out:.0%}", f"{one.placebo:.1f}")
        for one in analysis.effects
    ]
    return [
        _p(
            "How much more often a product is chosen because of the weather, by augmented inverse probability weighting. It is "
            "an effect if:"
        ),
        f"<ul>{''.join(f'<li>{html.escape(one)}</li>' for one in ASSUMPTIONS)}</ul>",
        _picture(plots.effect_chart(analysis.effects, analysis.products, names), "effects of weather"),
        _p(
            "Placebo: the largest difference, in standard errors, in what customers chose the time before, which weather cannot "
            f"have caused; {limit}."
        ),
        _table(("", "orders", "left out", "placebo"), rows),
    ]


def _p(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _picture(png: bytes, alt: str) -> str:
    return f'<p><img alt="{html.escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}"></p>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"


def _markdown(text: str) -> str:
    """The little Markdown that the card uses: headings, paragraphs, lists, tables, bold, code."""
    blocks = []
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if heading := re.fullmatch(r"(#+) (.*)", block):
            level = len(heading[1])
            blocks.append(f"<h{level}>{_inline(heading[2])}</h{level}>")
        elif lines[0].startswith("- "):
            blocks.append("<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>")
        elif lines[0].startswith("|"):
            rows = [line.strip("|").split("|") for line in lines if not line.startswith("|---")]
            cells = ["<tr>" + "".join(f"<td>{_inline(cell.strip())}</td>" for cell in row) + "</tr>" for row in rows]
            blocks.append(f"<table>{''.join(cells)}</table>")
        else:
            blocks.append(f"<p>{_inline(block)}</p>")
    return "".join(blocks)


def _inline(text: str) -> str:
    escaped = html.escape(text)
    bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escaped)
    return re.sub(r"`(.+?)`", r"<code>\1</code>", bold)
