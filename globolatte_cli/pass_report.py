"""What a pass did: the counts that are kept while it runs, and the few lines that it ends in."""

from dataclasses import dataclass, field

from rich.console import Console

from globolatte_ingest.load import LoadReport


@dataclass
class PassReport:
    """What a pass did."""

    files_loaded: int = 0
    files_refused: list[tuple[str, str]] = field(default_factory=list)
    files_held: list[tuple[str, str]] = field(default_factory=list)
    rows_loaded: int = 0
    rows_quarantined: int = 0
    steps: list[tuple[str, float]] = field(default_factory=list)
    failed_checks: list[str] = field(default_factory=list)
    training_reason: str | None = None
    verdict: str | None = None
    complaints: list[str] = field(default_factory=list)

    def add(self, load: LoadReport) -> None:
        """Counts what a load did."""
        self.files_loaded += len(load.loaded)
        self.files_refused += load.refused
        self.files_held += load.held
        self.rows_loaded += load.rows_loaded
        self.rows_quarantined += load.rows_quarantined

    @property
    def did_nothing(self) -> bool:
        """Whether there was nothing to do."""
        return not self.steps and not self.complaints


def print_summary(console: Console, report: PassReport, seconds: float) -> None:
    """What the pass did, in a few lines."""
    if report.did_nothing:
        console.print(f"Nothing to do: everything in the landing zone is on the record. [dim]{seconds:.1f} s[/]")
        return
    console.print(
        f"{report.files_loaded:,} files loaded with {report.rows_loaded:,} rows; {report.rows_quarantined:,} rows quarantined; "
        f"{len(report.files_refused):,} files refused, {len(report.files_held):,} held. [dim]{seconds:.1f} s[/]"
    )
    for path, reason in report.files_held[:10]:
        console.print(f"  held: {path}: {reason}", highlight=False, markup=False)
    for path, reason in report.files_refused[:10]:
        console.print(f"  refused: {path}: {reason}", highlight=False, markup=False)
    if report.verdict:
        console.print(f"Trained: {report.training_reason}", highlight=False, markup=False)
        console.print(report.verdict, highlight=False, markup=False)
    for check in report.failed_checks:
        console.print(f"  [yellow]check failed:[/] {check}")
