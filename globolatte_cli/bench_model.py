"""`globolatte bench model`: the preference model beside its peers and the best possible answer."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.model.comparison import Summary

SEEDS = (11, 12, 13, 14, 15)
SIZES = ((10_000, 1_000),)


def parsed_sizes(sizes: Sequence[str]) -> list[tuple[int, int]]:
    """`10000x1000` is 10,000 orders of 1,000 customers. Raises `click.BadParameter`."""
    import click

    found = []
    for size in sizes:
        orders, _, customers = size.partition("x")
        if not (orders.isdigit() and customers.isdigit()):
            raise click.BadParameter(f"size {size!r} is not orders x customers; write it like 10000x1000")
        found.append((int(orders), int(customers)))
    return found


def bench_model(seeds: Sequence[int], sizes: Sequence[tuple[int, int]], chains: Sequence[str], *, as_json: bool) -> int:
    """Prints what everyone reached; 0 if the goals were met and every peer was beaten beyond chance, else 1."""
    from benchmarks.model.chains import CHAINS
    from benchmarks.model.comparison import compare, shortfalls

    console, progress = Console(), Console(stderr=True)
    done: list[Summary] = []
    missing: dict[str, str] = {}
    for compared in compare(chains or CHAINS, sizes or SIZES, seeds or SEEDS, progress.print):
        done += compared.summaries
        missing |= compared.missing
        if not as_json:
            console.print(_table(compared.summaries))
    lacking = shortfalls(done)
    if as_json:
        content = [asdict(summary) for summary in done]
        console.print_json(json.dumps({"results": content, "missing": missing, "shortfalls": lacking}))
        return 1 if lacking else 0
    for peer, package in missing.items():
        console.print(f"[yellow]{peer} is missing: {package} is not installed (pip install 'globolatte\\[bench]')[/]")
    for sentence in lacking:
        console.print(f"[red]{sentence}[/]")
    return 1 if lacking else 0


def _table(summaries: "Sequence[Summary]") -> Table:
    one = summaries[0]
    title = f"{one.chain}: {one.orders:,} orders of {one.customers:,} customers, {one.seeds} seeds"
    table = Table("", "log loss", "hit@1", "hit@3", "ECE", "gap closed", "lowest seed", "worse by (95 %)", title=title)
    for one in summaries:
        quality, gap = one.metrics, one.worse_by
        table.add_row(
            one.name,
            f"{quality.log_loss:.4f}",
            f"{quality.hit_rate_at_1:.1%}",
            f"{quality.hit_rate_at_3:.1%}",
            f"{quality.expected_calibration_error:.4f}",
            "" if one.closed is None else f"{one.closed:.1f} %",
            "" if one.lowest_closed is None else f"{one.lowest_closed:.1f} %",
            f"{gap.estimate:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})",
        )
    return table
