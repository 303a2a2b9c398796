"""All that is in the landing zone is loaded, or in the ledger as refused, with the reason: nothing is passed over."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from globolatte_ingest.discovery import RetryPolicy, find_pending, prefixes, unrecorded
from globolatte_ingest.ledger import Ledger
from globolatte_ingest.paths import PathRules, SalesLayout
from resources.landing.folder import FolderLandingZone
from resources.landing.path_patterns import USUAL_PATTERN, PathPattern, PatternError
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import NOW, RULES, fetch

POLICY = RetryPolicy(max_attempts=3, base_seconds=60)

anything = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
some_bytes = st.binary(min_size=1, max_size=8).map(
    lambda raw: os.fsdecode(raw.replace(b"/", b"x").replace(b"\0", b"x"))
)
names = st.one_of(
    st.sampled_from(
        ["sales", "reference", "usa", "france", "2022", "2023", "01", "31", "Sales", "unitedstates", ".git"]
    ),
    st.sampled_from(
        ["products.csv", "customers.csv", "business_units.csv", "sales.csv", "SALES.CSV", "a.csv.gz", "a.xlsx"]
    ),
    st.sampled_from(["a.csv.part", "a.csv.filepart", "a.partial", ".a.csv.Xy12Zz", ".DS_Store", "a.csv~", "tmp.tmp"]),
    anything,
    some_bytes,
)
regular = st.builds("sales/{}/2022/01/{:02}/{}".format, st.sampled_from(["usa", "mexico"]), st.integers(1, 31), names)
paths = st.one_of(regular, st.lists(names, min_size=1, max_size=6).map("/".join))
kinds = st.sampled_from(["file"] * 6 + ["link", "pipe"])
parts_of_patterns = st.sampled_from(
    ["sales", "usa", "{unit}", "{date}", "{date:%Y/%m/%d}", "{date:%Y}", "{date:%m-%d}", "*", "a*", "??", "{unit}_{date:%d%m%y}", "*{date}"]
)  # fmt: skip


def pattern_of(parts: list[str], end: str) -> PathPattern | None:
    with suppress(PatternError):
        return PathPattern("/".join([*parts, end]))
    return None


some_patterns = st.builds(
    pattern_of, st.lists(parts_of_patterns, max_size=3), st.sampled_from(["*", "*.csv", "?.CSV.gz"])
)
patterns = st.one_of(
    st.just([PathPattern(USUAL_PATTERN)]), st.lists(some_patterns.filter(bool), min_size=1, max_size=3)
)


def put(root: Path, path: str, kind: str) -> bool:
    """Whether the file system took it; an hour and more ago."""
    target = Path(root, path)
    with suppress(OSError, ValueError):
        if {".", ".."} & {*path.split("/")} or target.exists() or target.is_symlink():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        if kind == "file":
            target.write_bytes(b"x")
        elif kind == "link":
            target.symlink_to("/nowhere")
        else:
            os.mkfifo(target)
        for made in (target, *target.parents):
            if made != root.parent and made.is_relative_to(root):
                os.utime(made, (0, 0), follow_symlinks=False)
        return True
    return False


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(wanted=st.lists(st.tuples(paths, kinds), min_size=1, max_size=8), patterns=patterns)
def test_everything_that_lies_in_the_landing_zone_is_to_be_loaded_or_refused_with_a_reason(
    warehouse: DuckDBWarehouse, wanted: list[tuple[str, str]], patterns: list[PathPattern]
) -> None:
    layout = SalesLayout(tuple(patterns), "canada", RULES.first_business_date)
    rules = PathRules(RULES.folders, RULES.first_business_date, RULES.last_business_date, layout=layout)
    root = Path(tempfile.mkdtemp())
    try:
        for path, kind in wanted:
            put(root, path, kind)
        lying = {
            os.fsencode(Path(folder, name).relative_to(root)).decode("utf-8", "backslashreplace")
            for folder, folders, files in os.walk(root)
            for name in (*files, *(one for one in folders if Path(folder, one).is_symlink()))
        }
        listing = list(FolderLandingZone(folder=str(root)).files())
    finally:
        shutil.rmtree(root)
    with warehouse.transaction() as transaction:
        found = find_pending(unrecorded(transaction, listing), [], rules, POLICY, NOW)
        Ledger(transaction).refuse_misplaced(found.misplaced, "run", NOW)
        taken = [item.file for load in found.ranges for item in load.files] + list(found.reference)
        left = find_pending(unrecorded(transaction, listing), [], rules, POLICY, NOW)
    refused = {
        str(path): str(reason) for path, reason in fetch(warehouse, "select path, reason from sales_data.load_ledger")
    }
    with warehouse.transaction() as transaction:
        transaction.execute("delete from sales_data.load_ledger")
    assert all(reason.startswith("misplaced: ") and len(reason) > 20 for reason in refused.values())
    for item in (item for load in found.ranges for item in load.files):
        assert item.file.path.startswith(tuple(prefixes(item.folder, [item.date], layout))), (
            "the run that loads it lists it"
        )
    named = {file.path for file in taken} | refused.keys()
    folders = tuple(path for path in named if path.endswith("/"))
    assert {path for path in lying if path not in named and not path.startswith(folders)} == set()
    assert left.misplaced == (), "what is refused for its place is refused once"
    assert {file.path for file in taken} == {
        file.path for load in left.ranges for file in (i.file for i in load.files)
    } | {file.path for file in left.reference}
