"""Affinities as PNG bytes."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from globolatte_ml.affinity.table import CHAIN, CROSS_SELL
from globolatte_ml.figures import INK, heat_map_axes, new_figure, nothing_to_show, png_bytes

WIDEST = 12
"""Products that a heat map has room for."""


def cross_sell_map(table: pa.Table, names: Mapping[str, str]) -> bytes:
    """The chain's lifts, main product by add-on; what is not significant is pale. `table` as `affinity_table` gives it."""
    rows = [row for row in table.to_pylist() if row["region"] == CHAIN and row["kind"] == CROSS_SELL]
    if not rows:
        return nothing_to_show("What goes together", "No basket holds two products yet.")
    common = sorted({row["anchor_product_id"]: row["orders"] for row in rows}.items(), key=lambda item: -item[1])[
        :WIDEST
    ]
    products = sorted(product for product, _ in common)
    figure = new_figure(
        1.7 + 0.4 * len(products),
        "What goes together",
        "shrunken lift of the add-on (below) with the main product (left); bold: significant",
    )
    axes = figure.add_subplot()
    logs = np.full((len(products), len(products)), np.nan)
    for row in rows:
        if row["anchor_product_id"] in products and row["product_id"] in products:
            at = products.index(row["anchor_product_id"]), products.index(row["product_id"])
            logs[at] = np.log(max(row["shrunken_lift"], 0.05))
            axes.text(
                at[1],
                at[0],
                f"{row['shrunken_lift']:.1f}x",
                ha="center",
                va="center",
                fontsize=9,
                color=INK,
                fontweight="bold" if row["is_significant"] else "normal",
            )
    axes.imshow(logs, cmap="BrBG", vmin=-1.8, vmax=1.8, aspect="auto")
    labels = [names.get(product, product) for product in products]
    heat_map_axes(axes, labels, labels, rotation=25)
    return png_bytes(figure)
