"""`globolatte onboard`: looks at sample files of a new source, proposes how they are declared, and shows what a load would make of them."""

import dataclasses
import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import click
import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table

from globolatte_cli.errors import UserError
from globolatte_cli.files import landing_path
from globolatte_cli.output import JSON, numbers, print_json
from globolatte_ingest.declarations import FORMAT_COLUMNS
from globolatte_ingest.onboarding.preview import Preview, PreviewContext, preview
from globolatte_ingest.onboarding.proposal import Proposal
from globolatte_ingest.onboarding.study import Known
from globolatte_ingest.onboarding.survey import Source, Survey, as_document, survey
from globolatte_ingest.onboarding.units_file import replace_file, table_text, with_table
from globolatte_ingest.onboarding.values import date_in
from globolatte_ingest.paths import UNIT_DECLARATIONS_PATH, USUAL_LAYOUT, SalesFile, layout_of
from globolatte_ingest.reading.landed_bytes import FileLimits
from globolatte_ingest.reasons import RefusedError
from globolatte_ingest.reference import BUSINESS_UNITS_FILE, PRODUCTS_FILE, ReferenceFile, read_reference
from resources.environment import clock_of, landing_of
from resources.landing.landing_zone import LandedFile, LandingZone
from resources.settings.choices import LandingKind
from resources.settings.settings import Settings

UNITS_FILE = UNIT_DECLARATIONS_PATH
SHOWN_COLUMNS = (
    "transaction_id", "order_id", "transaction_date", "product_id", "customer_id", "quantity", "total_price", "kind", "store_id",
)  # fmt: skip
LONGEST_TEXT = 60


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--unit", help="Whose files these are: landing folder or id of the business unit, such as usa.")
@click.option("--write", is_flag=True, help="Write the declaration into reference/units.toml of the landing zone.")
@click.option("--replace", is_flag=True, help="With --write: also in place of a declaration for files of another form.")
@JSON
def onboard(files: tuple[Path, ...], unit: str | None, *, write: bool, replace: bool, as_json: bool) -> None:
    """Look at sample files of a new source, and propose how to declare them.

    FILES are one or more days of sales as the till or shop exports them, wherever they lie. Nothing is changed without --write.
    """
    settings = Settings()
    landing = landing_of(settings)
    units, products = (
        _reference(landing, kind, settings.business_units) for kind in (BUSINESS_UNITS_FILE, PRODUCTS_FILE)
    )
    if units is None:
        raise UserError(
            f"reference/business_units.csv is not in the landing zone ({landing.describe()}); put it there first: it says which "
            "units there are (docs/landing.md)"
        )
    limits = FileLimits(settings.max_file_bytes, settings.max_compression_ratio, settings.max_file_bytes)
    known = Known(
        dict(zip(units["folder"].to_pylist(), units["business_unit_id"].to_pylist(), strict=True)),
        dict(zip(products["product_id"].to_pylist(), products["product_name"].to_pylist(), strict=True))
        if products
        else {},
        dict(zip(units["folder"].to_pylist(), units["time_zone"].to_pylist(), strict=True)),
    )
    sources = _sources(files, unit, known)
    found = _surveyed(sources, known, limits)
    now = clock_of(settings).now().astimezone(dt.UTC).replace(tzinfo=None)
    context = PreviewContext(now, limits, settings.max_bad_share)
    has_undated = layout_of(settings).has_undated
    previews = (
        {}
        if products is None or found.faults
        else _previews(found, sources, units, products, context, has_undated=has_undated)
    )
    if as_json:
        called = found.called
        shown = {called[path]: dataclasses.asdict(seen) for path, seen in previews.items()}
        print_json({**as_document(found), "previews": shown})
    else:
        _show(Console(), found, previews, has_products=products is not None)
    if write:
        _write(settings, landing, found, units, replace=replace)
    elif not as_json:
        Console().print("\nNothing was written. [bold]--write[/] writes this declaration into reference/units.toml.")


def _reference(landing: LandingZone, kind: ReferenceFile, folders: Sequence[str]) -> pa.Table | None:
    """The reference file that lies in the landing zone; none if there is none. Raises `UserError` if it is refused."""
    file = next((file for file in landing.files(kind.path) if file.path == kind.path), None)
    if file is None:
        return None
    with landing.open(file) as stream:
        content = stream.read()
    try:
        return read_reference(kind, content, folders)
    except RefusedError as refused:
        raise UserError(f"{kind.path}: {refused}") from refused


def _sources(files: Sequence[Path], unit: str | None, known: Known) -> list[Source]:
    sources = []
    for file in files:
        path = landing_path(str(file))
        sources.append(Source(path, _folder(unit, path, known), file.read_bytes()))
    if len({source.folder for source in sources}) > 1:
        raise UserError(
            f"the files are of several units ({', '.join(sorted({s.folder for s in sources}))}); look at one unit's at a time"
        )
    return sources


def _folder(unit: str | None, path: str, known: Known) -> str:
    """The landing folder of the unit that was named, or that the path names, or of the only one there is."""
    if unit is not None:
        by_id = {name: folder for folder, name in known.units.items()}
        found = unit if unit in known.units else by_id.get(unit)
        if found is None:
            raise UserError(f"no business unit has the folder or id {unit!r}; known: {', '.join(sorted(known.units))}")
        return found
    placed = USUAL_LAYOUT.partition(path)
    if placed is not None and placed[0] in known.units:
        return placed[0]
    if len(known.units) == 1:
        return next(iter(known.units))
    raise UserError(f"{path}: whose file is it? Name the unit by --unit, one of {', '.join(sorted(known.units))}")


def _surveyed(sources: Sequence[Source], known: Known, limits: FileLimits) -> Survey:
    try:
        return survey(sources, known, limits)
    except RefusedError as refused:
        raise UserError(f"{', '.join(source.path for source in sources)}: {refused}") from refused


def _previews(
    found: Survey,
    sources: Sequence[Source],
    units: pa.Table,
    products: pa.Table,
    context: PreviewContext,
    *,
    has_undated: bool,
) -> dict[str, Preview]:
    """What a load would make of the first file of each form, by its path: files of several days may all be called `sales.csv`.

    `has_undated`: files of several days may lie where the path tells no date.
    """
    by_path = {source.path: source for source in sources}
    shown = {}
    for form in found.forms:
        proposal = form.proposals[0]
        source = by_path[proposal.path]
        date = _date_of(source, proposal, context.now)
        path = f"sales/{source.folder}/{date:%Y/%m/%d}/{proposal.name}"
        tells_date = not (has_undated and proposal.has_several_dates)
        placed = SalesFile(LandedFile(path, "sample", len(source.content)), source.folder, date, tells_date=tells_date)
        shown[proposal.path] = preview(placed, source.content, form.table, units, products, context)
    return shown


def _date_of(source: Source, proposal: Proposal, now: dt.datetime) -> dt.date:
    """The date under which the file would be put: that of its path or name, else that of most of its rows."""
    return proposal.date or proposal.usual_date or date_in(source.path) or now.date()


def _show(console: Console, found: Survey, previews: dict[str, Preview], *, has_products: bool) -> None:
    called = found.called
    for form in found.forms:
        first = form.proposals[0]
        names = ", ".join(called[proposal.path] for proposal in form.proposals)
        console.rule(f"[bold]{escape(names)}[/] for {found.unit}: {first.rows:,} rows")
        _show_columns(console, first)
        for proposal in form.proposals:
            for finding in proposal.findings:
                console.print(f"  • {escape(finding)}", highlight=False)
        if first.path in previews:
            _show_preview(console, previews[first.path])
    if not has_products:
        console.print(
            "\nreference/products.csv is not in the landing zone: without the catalogue, nothing can be loaded on trial."
        )
    console.rule("[bold]The declaration[/] (reference/units.toml)")
    if found.table:
        console.print(Syntax(table_text(found.unit, found.table), "toml", background_color="default", word_wrap=True))
    else:
        console.print(
            f"  Nothing: these files are written the usual way. If {found.unit} has a table there, it is not needed for them."
        )
    questions = [*found.questions]
    for form in found.forms:
        questions += [*form.questions, *(question for proposal in form.proposals for question in proposal.questions)]
    if questions:
        console.rule("[bold]What the files cannot tell")
        for number, question in enumerate(dict.fromkeys(questions), start=1):
            console.print(f"  {number}. {escape(question)}", highlight=False)
    for fault in found.faults:
        console.print(f"[red]✗[/] {escape(fault)}", highlight=False)


def _show_columns(console: Console, proposal: Proposal) -> None:
    table = Table("our column", "in the file", "such as", box=SIMPLE_HEAD)
    for meaning, header in proposal.meanings.items():
        table.add_row(meaning, escape(header), escape(_short(proposal.examples.get(meaning, ""))))
    console.print(table)
    if proposal.unmapped:
        console.print(f"  left out: {escape(', '.join(proposal.unmapped))}", highlight=False)


def _show_preview(console: Console, seen: Preview) -> None:
    part = " (its beginning, middle and end)" if seen.is_part else ""
    bad = sum(seen.reasons.values())
    rows = seen.sums["rows"]
    console.print(
        f"\nOn trial{part}: [bold]{seen.status}[/], {rows:,} rows loaded, {bad:,} in quarantine; takings {seen.sums['takings']}, "
        f"{seen.sums['refunds']:,} refunds, {seen.sums['voids']:,} voids, {seen.sums['anonymous']:,} anonymous"
    )
    if seen.reason:
        console.print(f"  {escape(seen.reason)}", highlight=False)
    if seen.rows:
        table = Table(*SHOWN_COLUMNS, box=SIMPLE_HEAD, title="The first rows as they would be loaded")
        for row in seen.rows:
            table.add_row(*(escape(_short(row.get(column))) for column in SHOWN_COLUMNS))
        console.print(table)
    if seen.examples:
        table = Table(
            "reason",
            numbers("rows"),
            numbers("line"),
            "why",
            "the row",
            box=SIMPLE_HEAD,
            title="What would be quarantined",
        )
        for example in seen.examples:
            reason = example["reason"]
            table.add_row(
                reason,
                str(seen.reasons[reason]),
                str(example["line_number"] or ""),
                escape(str(example["detail"] or "")),
                escape(_short(example["raw_text"])),
            )
        console.print(table)


def _short(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def _write(settings: Settings, landing: LandingZone, found: Survey, units: pa.Table, *, replace: bool) -> None:
    if found.faults:
        raise UserError(f"nothing was written, since the files could not be loaded: {'; '.join(found.faults)}")
    if settings.landing is not LandingKind.FOLDER:
        raise UserError(
            f"nothing was written: the landing zone ({landing.describe()}) is no folder; "
            f"put the declaration above into {UNITS_FILE} there"
        )
    [own] = [row for row in units.to_pylist() if row["business_unit_id"] == found.unit]
    if twice := [column for column in FORMAT_COLUMNS if own.get(column)]:
        raise UserError(
            f"nothing was written: reference/business_units.csv declares {', '.join(twice)} of {found.unit}, and a unit is declared in one "
            "file only; empty these columns of its row there, then run this again"
        )
    file = settings.landing_folder / UNITS_FILE
    try:
        text = file.read_text(encoding="utf-8-sig") if file.exists() else ""
        written = with_table(text, found.unit, found.table, replace=replace)
    except (ValueError, UnicodeDecodeError) as fault:
        raise UserError(f"{file}: {fault}") from fault
    if written != text:
        replace_file(file, written)
    Console(soft_wrap=True).print(
        f"\n{f'Written to {file}' if written != text else 'Nothing had to be written'}.\n"
        f"What to do next: answer the questions above in that file; put the files under sales/{own['folder']}/<yyyy>/<mm>/<dd>/ of the "
        "landing zone; `globolatte run`. Files of this unit that were refused or held before: `globolatte quarantine retry PATH`.",
        highlight=False,
        markup=False,
    )
