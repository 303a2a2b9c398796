"""Recommendations for strangers as PNG bytes. Belongs here: figures. Does not belong here: computing anything."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from globolatte_ml.data.vocabulary import SEASONS
from globolatte_ml.training.plots import INK, MUTED, new_figure, png_bytes

WIDEST = 10
"""Products that a heat map has room for."""


def regional_map(table: pa.Table, names: Mapping[str, str]) -> bytes:
    """The probability of each product by unit and season, weathers weighed by how often they were seen there."""
    rows = table.to_pylist()
    units = sorted({row["business_unit"] for row in rows})
    means: dict[tuple[str, str, str], float] = {}
    for row in rows:
        cell = row["business_unit"], row["season"], row["product_id"]
        means[cell] = means.get(cell, 0.0) + row["weather_share"] * row["probability"]
    totals = {
        product: sum(value for (_, _, one), value in means.items() if one == product)
        for product in {cell[2] for cell in means}
    }
    products = sorted(sorted(totals, key=lambda product: -totals[product])[:WIDEST])
    figure = new_figure(
        1.4 + 0.42 * len(products), "What strangers will want", "probability by season, weathers as usual there"
    )
    places = np.atleast_1d(figure.subplots(1, len(units), sharey=True))
    values = [
        [[means.get((unit, season, product), 0.0) for season in SEASONS] for product in products] for unit in units
    ]
    most = max(float(np.max(values)), 0.01)
    for axes, unit, cells in zip(places, units, values, strict=True):
        axes.imshow(np.array(cells), cmap="Oranges", vmin=0, vmax=1.3 * most, aspect="auto")
        for (at, season), value in np.ndenumerate(np.array(cells)):
            best = value == max(row[season] for row in cells)
            weight = "bold" if best else "normal"
            axes.text(season, at, f"{value:.0%}", ha="center", va="center", fontsize=8.5, fontweight=weight, color=INK)
        axes.set_xticks(range(len(SEASONS)), SEASONS, rotation=30, ha="right", fontsize=8.5)
        axes.set_yticks(range(len(products)), [names.get(product, product) for product in products], fontsize=9)
        axes.set_title(unit, fontsize=10, color=MUTED)
        axes.tick_params(length=0, colors=INK)
        for side in axes.spines.values():
            side.set_visible(False)
    return png_bytes(figure)
