"""Whatever comes in whatever order, and whatever crashes on the way: the tables are what the laws say of the last good versions."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from globolatte_ingest.declarations import declarations_of
from globolatte_ingest.discovery import work_in
from globolatte_ingest.ledger import Ledger, Step
from globolatte_ingest.load import do_work
from globolatte_ingest.paths import USUAL_LAYOUT, SalesLayout
from globolatte_ingest.quarantine_sheets import quarantined_rows
from globolatte_ingest.requested_steps import CannotBeDoneError, requested_step
from resources.landing.path_patterns import PathPattern
from resources.warehouse.warehouse import Transaction
from tests.builders import (
    COLUMNS,
    DAY,
    NOW,
    RULES,
    UNITS,
    InterferedWarehouse,
    csv,
    deliver,
    fetch,
    landing_in,
    line,
    load_context,
    put_reference_data,
    sales,
    sales_path,
    warehouse_in,
)
from tests.unit.ingest.law import DATE, OTHER_DATE, Day, Row, Version, corrected

EXPORT = "exports/c.csv"
"""A file whose path tells no unit and no date."""
PATHS = [sales_path("a.csv"), sales_path("b.csv"), EXPORT]
LAYOUT = SalesLayout((*USUAL_LAYOUT.patterns, PathPattern("exports/*.csv")), "canada", RULES.first_business_date)
DECLARED = sales_path("b.csv")
"""The file that is written in a way of its own."""
DECLARATION = declarations_of(b"""
[[BU_US.files]]
pattern = "b.csv"
delimiter = "semicolon"
decimal_mark = "comma"
lines_above_header = 1
lines_below_data = 1
[BU_US.files.columns]
transaction_id = "Line"
total_price = "Amount"
[BU_US.files.product_aliases]
"Latte to go" = "P001"
""")["BU_US"]
MAX_BAD_SHARE = 0.34
RETRIED = ("loaded", "held", "refused", "retracted")
MAX_TAKE_AWAY = 0.6

rows = st.lists(
    st.builds(
        Row,
        st.sampled_from(["T1", "T2", "T3", "T4"]),
        st.sampled_from(["card"] * 3 + ["cash"]),
        st.sampled_from(["Sunny"] * 3 + ["Hail"]),
        st.sampled_from(["", "", "O1", "O2"]),
        st.sampled_from(["C1"] * 3 + ["C2", ""]),
        st.sampled_from(["BU_US"] * 6 + ["BU_CA"] * 3 + ["BU_FR"]),
        st.sampled_from([DATE, DATE, OTHER_DATE]),
    ),
    max_size=5,
).map(tuple)
crashes = st.lists(st.integers(1, 60), max_size=1)
some_content = st.one_of(rows, rows, rows, st.none())


class CrashError(Exception):
    """What is thrown into a load."""


def content(path: str, version: Version) -> bytes:
    if version.rows is None:
        return b"no,sales,file\n"
    lines = [as_line(path, row) for row in version.rows]
    if path != DECLARED:
        return csv(*lines)
    header = ";".join({"transaction_id": "Line", "total_price": "AMOUNT"}.get(column, column) for column in COLUMNS)
    rows_of_till = (";".join({**one, "product_id": "Latte to go"}[column] for column in COLUMNS) for one in lines)
    return "\n".join(["Sales of the day, counted", header, *rows_of_till, "Total"]).encode()


def as_line(path: str, row: Row) -> dict[str, str]:
    return line(
        transaction_id=row.transaction,
        payment_method=row.payment,
        weather=row.weather,
        order_id=row.order,
        customer_id=row.customer,
        business_unit=row.unit,
        total_price="3,50" if path == DECLARED else "3.50",
        transaction_date=f"{row.date}T08:15:00",
    )


class AnySequence(RuleBasedStateMachine):
    """Uploads, corrections, duplicates, steps and crashes against the laws in plain Python."""

    _template: Path | None = None

    @initialize()
    def start(self) -> None:
        if AnySequence._template is None:
            AnySequence._template = Path(tempfile.mkdtemp())
            put_reference_data(warehouse_in(AnySequence._template))
        self.folder = Path(tempfile.mkdtemp())
        self.warehouse, self.landing = warehouse_in(self.folder), landing_in(self.folder)
        shutil.copy(warehouse_in(AnySequence._template).file, self.warehouse.file)
        self.opened = self.warehouse.keep_open()
        self.opened.__enter__()
        self.day, self.uploads = Day(MAX_BAD_SHARE, MAX_TAKE_AWAY, undated=frozenset({EXPORT})), 0

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            self.opened.__exit__(None, None, None)
            shutil.rmtree(self.folder)

    # What the world does -------------------------------------------------------------------------------------------------

    def upload(self, path: str, content_rows: tuple[Row, ...] | None) -> None:
        self.uploads += 1
        if content_rows is not None and path != EXPORT:
            content_rows = tuple(row._replace(date=DATE) for row in content_rows)
        version = Version(self.uploads, content_rows)
        self.day.landed[path] = version
        deliver(self.landing, path, content(path, version))

    @rule(
        path=st.sampled_from(PATHS),
        content_rows=some_content,
        crashing_at=crashes,
        is_loaded=st.sampled_from([True, True, False]),
    )
    def a_file_comes_or_is_corrected(
        self, path: str, content_rows: tuple[Row, ...] | None, crashing_at: list[int], *, is_loaded: bool
    ) -> None:
        self.upload(path, content_rows)
        if is_loaded:
            self.loads_run(crashing_at)

    @precondition(lambda self: self.day.landed)
    @rule(data=st.data(), other=st.sampled_from(PATHS), crashing_at=crashes)
    def a_file_comes_again_under_another_name_or_the_same(
        self, data: st.DataObject, other: str, crashing_at: list[int]
    ) -> None:
        path = data.draw(st.sampled_from(sorted(self.day.landed)))
        self.upload(other, self.day.landed[path].rows)
        self.loads_run(crashing_at)

    def loads_run(self, crashing_at: list[int]) -> None:
        new = self.day.pending()
        self.ingest(crashing_at)
        self.take(new)

    # What people do ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.day.waiting())
    @rule(data=st.data(), crashing_at=crashes)
    def somebody_approves(self, data: st.DataObject, crashing_at: list[int]) -> None:
        path = data.draw(st.sampled_from(self.day.waiting()))
        if path in self.day.overwriting:
            with pytest.raises(CannotBeDoneError, match="a release would take away"):
                self.request(Step.APPROVE, path)
            return
        self.day.approved.add((path, self.day.known[path].rows))
        self.step(Step.APPROVE, path, crashing_at)

    @precondition(lambda self: self.day.reloadable(RETRIED))
    @rule(data=st.data(), crashing_at=crashes)
    def somebody_retries(self, data: st.DataObject, crashing_at: list[int]) -> None:
        self.step(Step.RETRY, data.draw(st.sampled_from(self.day.reloadable(RETRIED))), crashing_at)

    @precondition(lambda self: self.day.landed)
    @rule()
    def the_landing_zone_is_restored_on_another_disk(self) -> None:
        for path in self.day.landed:
            deliver(self.landing, path, content(path, self.day.landed[path]))
        self.loads_run([])

    @precondition(lambda self: self.day.reloadable())
    @rule(data=st.data(), crashing_at=crashes)
    def somebody_puts_corrected_rows_back(self, data: st.DataObject, crashing_at: list[int]) -> None:
        path = data.draw(st.sampled_from(self.day.reloadable()))
        version = self.day.known[path]
        present = self.day.rows[path] if version.rows is not None else ()
        hail = [number for number, row in enumerate(present, start=1) if row.weather == "Hail"]
        if hail:
            number = data.draw(st.sampled_from(hail))
            row = corrected(present[number - 1])
            self.day.corrections.setdefault((path, version.rows), {})[number] = row
            self.step(Step.RELEASE, path, crashing_at, {**as_line(path, row), "row_number": number})

    @precondition(lambda self: self.day.loaded or self.day.held)
    @rule(data=st.data(), crashing_at=crashes)
    def somebody_retracts(self, data: st.DataObject, crashing_at: list[int]) -> None:
        path = data.draw(st.sampled_from(sorted({path for path, _ in (*self.day.loaded, *self.day.held)})))
        new = self.day.pending()
        self.request(Step.RETRACT, path)
        self.ingest(crashing_at)
        self.day.retract(path)
        self.take(new)

    # How it is done ------------------------------------------------------------------------------------------------------

    def step(self, step: Step, path: str, crashing_at: list[int], *put_back: dict[str, object]) -> None:
        new = [*self.day.pending(), path]
        self.request(step, path, *put_back)
        self.ingest(crashing_at)
        self.take(new)

    def request(self, step: Step, path: str, *put_back: dict[str, object]) -> None:
        table = pa.Table.from_pylist([*put_back]) if put_back else None
        with self.warehouse.transaction() as transaction:
            lying = quarantined_rows(transaction, path)["row_number"].to_pylist()
            numbers = [row["row_number"] for row in put_back]
            history = Ledger(transaction).history(path)
            requested = requested_step(step, history, "ana", None, numbers, lying, LAYOUT)
            Ledger(transaction).request(requested, NOW, table)

    def ingest(self, crashing_at: list[int]) -> None:
        """Runs the loads; each number is a statement to crash at, after which they run again."""
        for crash in crashing_at:
            seen = 0

            def before(_transaction: Transaction, _sql: str, crash: int = crash) -> None:
                nonlocal seen
                seen += 1
                if seen == crash:
                    raise CrashError

            try:
                self.run(InterferedWarehouse(self.warehouse, before))
            except CrashError:
                with self.warehouse.transaction() as transaction:
                    assert Ledger(transaction).unbalanced_files() == []
        self.run(self.warehouse)

    def run(self, warehouse: InterferedWarehouse) -> None:
        rules = replace(RULES, layout=LAYOUT)
        context = load_context(
            max_bad_share=MAX_BAD_SHARE, max_take_away=MAX_TAKE_AWAY, formats=dict.fromkeys(UNITS, DECLARATION)
        )
        for folder, date in (("usa", DAY), (LAYOUT.home_folder, LAYOUT.home_date)):
            do_work(warehouse, self.landing, work_in(warehouse, self.landing, folder, {date}, rules), context)

    def take(self, paths: list[str]) -> None:
        """What was loaded at once is taken in the order of the ledger: that of the landing zone, but for files that crashed before."""
        order = [path for (path,) in fetch(self.warehouse, "select path from sales_data.load_ledger order by sequence")]
        for path in sorted(set(paths), key=lambda path: len(order) - order[::-1].index(path)):
            self.day.take(path)

    # What has to hold ----------------------------------------------------------------------------------------------------

    @invariant()
    def the_tables_are_what_the_laws_say(self) -> None:
        if not hasattr(self, "day"):
            return
        loaded, quarantined = self.day.expected()
        what = "path, row_number, transaction_id, payment_method, customer_id, business_unit, business_date"
        found = sales(self.warehouse, what)
        assert sorted(found, key=repr) == sorted(loaded, key=repr)
        assert (
            fetch(
                self.warehouse,
                "select path, row_number, quarantine.reason from sales_data.quarantine inner join (select load_id, path from "
                "sales_data.load_ledger) using (load_id) inner join (select load_id, business_unit, business_date from "
                "sales_data.load_parts where status in ('loaded', 'held')) using (load_id, business_unit, business_date) "
                "order by path, row_number, quarantine.reason",
            )
            == quarantined
        )
        assert (
            fetch(
                self.warehouse,
                "select path, parts.business_unit, parts.business_date, parts.status from sales_data.load_parts as parts inner join "
                "sales_data.load_ledger using (load_id) where parts.status in ('loaded', 'held') order by all",
            )
            == self.day.parts()
        ), "each part of a path is loaded once, and held once"

    @invariant()
    def every_version_is_accounted_for(self) -> None:
        if not hasattr(self, "day"):
            return
        with self.warehouse.transaction() as transaction:
            assert Ledger(transaction).unbalanced_files() == []
            assert Ledger(transaction).open_steps() == []
        states = dict(
            fetch(
                self.warehouse,
                "select path, status from sales_data.load_ledger qualify row_number() over (partition by path order by sequence desc) = 1",
            )
        )
        assert states == self.day.states
        wrong = "select status from sales_data.load_ledger where status not in ('loaded', 'refused', 'held', 'superseded', 'retracted')"
        assert fetch(self.warehouse, wrong) == []


AnySequence.TestCase.settings = settings(
    max_examples=settings.default.max_examples // 25, stateful_step_count=20, suppress_health_check=list(HealthCheck)
)
TestAnySequence = pytest.mark.slow(AnySequence.TestCase)
