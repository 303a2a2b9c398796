"""The checks that a load makes of itself: was a file refused, held, a row quarantined. What is loaded is decided elsewhere."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from globolatte_assets.keys import SALES_TRANSACTIONS
from globolatte_assets.metadata import load_report_metadata
from globolatte_ingest.load import LoadReport

NO_FILE_REFUSED = "no_file_refused"
NO_FILE_HELD = "no_file_held"
NO_ROW_QUARANTINED = "no_row_quarantined"

DESCRIPTIONS = {
    NO_FILE_REFUSED: "Every file of this load was readable.",
    NO_FILE_HELD: "No file of this load has so many bad rows that someone has to approve it.",
    NO_ROW_QUARANTINED: "Every row of this load was certain enough to be loaded.",
}


def check_specs() -> list[dg.AssetCheckSpec]:
    """The checks as the asset declares them."""
    return [
        dg.AssetCheckSpec(name, asset=SALES_TRANSACTIONS, description=description)
        for name, description in DESCRIPTIONS.items()
    ]


def check_results(report: LoadReport) -> Iterator[dg.AssetCheckResult]:
    """What the checks say of a load."""
    yield dg.AssetCheckResult(
        check_name=NO_FILE_REFUSED,
        passed=not report.refused,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(report.refused)} refused, such as {report.refused[0][0]}: {report.refused[0][1]}"
        if report.refused
        else f"{len(report.loaded)} files loaded, none refused",
        metadata={
            "refused": _listed(report.refused),
            "files_loaded": len(report.loaded),
            **load_report_metadata(report),
        },
    )
    yield dg.AssetCheckResult(
        check_name=NO_FILE_HELD,
        passed=not report.held,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(report.held)} held, such as {report.held[0][0]}: approve or correct them"
        if report.held
        else "none held",
        metadata={"held": _listed(report.held)},
    )
    reasons = "\n".join(f"| {reason} | {rows} |" for reason, rows in sorted(report.reasons.items()))
    yield dg.AssetCheckResult(
        check_name=NO_ROW_QUARANTINED,
        passed=not report.rows_quarantined,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{report.rows_loaded} rows loaded, {report.rows_quarantined} quarantined"
        + (f" ({_most_frequent(report.reasons)}); their text is in sales_data.quarantine" if report.reasons else ""),
        metadata={
            "rows_loaded": report.rows_loaded,
            "rows_quarantined": report.rows_quarantined,
            "reasons": dg.MetadataValue.md(f"| reason | rows |\n|---|---|\n{reasons}"),
            "ignored_columns": ", ".join(report.extra_columns) or "none",
            "not_read": ", ".join(report.not_read) or "none",
        },
    )


def _most_frequent(reasons: Mapping[str, int], how_many: int = 3) -> str:
    named = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:how_many]
    return ", ".join(f"{reason}: {rows}" for reason, rows in named)


def _listed(files: Sequence[tuple[str, str]]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md("\n".join(f"- `{path}`: {reason}" for path, reason in files) or "none")
