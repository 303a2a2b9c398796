"""Which unit has not delivered which day: the decision as a table, the query and the checks on a real warehouse."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest

from globolatte_assets.keys import SALES_TRANSACTIONS
from globolatte_assets.raw.deliveries import delivery_checks
from globolatte_ingest.deliveries import DeliveryPolicy, UnitDeliveries, missing_dates, missing_of_units
from globolatte_ingest.ledger import Ledger, Step
from globolatte_ingest.requested_steps import requested_step
from resources.clock import Clock
from resources.settings.choices import MissingDelivery
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import Deployment, ask_for, csv, deliver, deployment, landing_in, line, load, sales, sales_path

DAY = dt.date(2023, 5, 4)
POLICY = DeliveryPolicy(dt.date(2022, 1, 1), hours=6, days=3)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def dates(*days: int) -> frozenset[dt.date]:
    return frozenset(dt.date(2023, 5, day) for day in days)


@pytest.mark.parametrize(
    ("now", "time_zone", "delivered", "missing"),
    [
        ("2023-05-05T05:59+00:00", "UTC", (1, 2, 3), ()),  # the fourth is not due yet
        ("2023-05-05T06:00+00:00", "UTC", (1, 2, 3), (4,)),
        ("2023-05-05T06:00+00:00", "UTC", (2, 3, 4), ()),
        ("2023-05-05T09:59+00:00", "America/Toronto", (1, 2, 3), ()),  # 05:59 there
        ("2023-05-05T10:00+00:00", "America/Toronto", (2, 3), (4,)),
        ("2023-05-05T11:59+00:00", "America/Mexico_City", (1, 2, 3), ()),
        ("2023-05-04T20:00+00:00", "Asia/Tokyo", (1, 2, 3), ()),
        ("2023-05-04T21:00+00:00", "Asia/Tokyo", (2, 3), (4,)),
        ("2023-05-05T12:00+00:00", "UTC", (4,), (2, 3)),
        ("2023-05-05T12:00+00:00", "UTC", (), (2, 3, 4)),
        ("2023-05-05T12:00+00:00", "UTC", (1,), (2, 3, 4)),
        ("2023-05-05T12:00+00:00", "UTC", (2, 3, 4, 5, 6), ()),  # delivered before it was due
    ],
)
def test_a_day_is_missing_when_its_unit_s_deadline_has_passed(
    now: str, time_zone: str, delivered: tuple[int, ...], missing: tuple[int, ...]
) -> None:
    found = missing_dates(UnitDeliveries("canada", time_zone, dates(*delivered)), POLICY, at(now))
    assert frozenset(found.dates) == dates(*missing)
    assert list(found.dates) == sorted(found.dates)


def test_nothing_is_expected_before_the_first_business_date() -> None:
    policy = DeliveryPolicy(DAY, hours=6, days=30)
    found = missing_dates(UnitDeliveries("canada", "UTC"), policy, at("2023-05-06T12:00+00:00"))
    assert frozenset(found.dates) == dates(4, 5)


@pytest.mark.parametrize(
    ("delivered", "refused", "said"),
    [
        ((2, 3, 4), (), "canada has delivered every day that is due"),
        ((2, 3), (), "canada has not delivered 2023-05-04"),
        ((3,), (4,), "canada has not delivered 2023-05-02, 2023-05-04 (what came was refused)"),
        ((), (), "canada has not delivered a single day from 2023-05-02 to 2023-05-04, all that are watched"),
    ],
)
def test_it_says_who_has_not_delivered_what(delivered: tuple[int, ...], refused: tuple[int, ...], said: str) -> None:
    unit = UnitDeliveries("canada", "UTC", dates(*delivered), dates(*refused))
    assert str(missing_dates(unit, POLICY, at("2023-05-05T12:00+00:00"))) == said


def test_many_missing_days_are_named_up_to_a_handful() -> None:
    policy = DeliveryPolicy(dt.date(2022, 1, 1), days=20)
    said = str(missing_dates(UnitDeliveries("usa", "UTC", dates(1)), policy, at("2023-05-10T12:00+00:00")))
    assert said.endswith("2023-05-05, 2023-05-06, 2023-05-07, 2023-05-08, 2023-05-09 and 14 days before")


# On a warehouse --------------------------------------------------------------------------------------------------------

NOW = at("2022-02-02T12:00+00:00")
THREE_DAYS = DeliveryPolicy(dt.date(2022, 1, 1), hours=6, days=3)


def deliver_days(warehouse: DuckDBWarehouse, tmp_path, *days: str, content: bytes | None = None) -> None:
    landing = landing_in(tmp_path)
    for day in days:
        date = dt.date.fromisoformat(day)
        body = csv(line(date.day, transaction_date=day)) if content is None else content
        load(warehouse, landing, deliver(landing, sales_path(date=date), body))


def said(warehouse: DuckDBWarehouse, *folders: str) -> list[str]:
    with warehouse.transaction() as transaction:
        return [str(item) for item in missing_of_units(transaction, folders, THREE_DAYS, NOW)]


def test_the_ledger_says_who_delivered(warehouse: DuckDBWarehouse, tmp_path) -> None:
    deliver_days(warehouse, tmp_path, "2022-01-30", "2022-02-01")
    deliver_days(warehouse, tmp_path, "2022-01-31", content=b"not a sales file")
    assert said(warehouse, "canada", "usa") == [
        "canada has not delivered a single day from 2022-01-30 to 2022-02-01, all that are watched",
        "usa has not delivered 2022-01-31 (what came was refused)",
    ]


def test_a_day_without_sales_is_delivered(warehouse: DuckDBWarehouse, tmp_path) -> None:
    deliver_days(warehouse, tmp_path, "2022-01-30", "2022-01-31", "2022-02-01", content=csv())
    assert said(warehouse, "usa") == ["usa has delivered every day that is due"]


def test_a_file_of_several_units_delivers_for_each_of_them(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    for day in ("2022-01-30", "2022-01-31", "2022-02-01"):
        rows = [line(1, transaction_date=day), line(2, transaction_date=day, business_unit="BU_CA")]
        deliver_days(warehouse, tmp_path, day, content=csv(*rows))
    assert said(warehouse, "canada", "mexico", "usa") == [
        "canada has delivered every day that is due",
        "mexico has not delivered a single day from 2022-01-30 to 2022-02-01, all that are watched",
        "usa has delivered every day that is due",
    ]


def test_a_unit_that_reference_data_does_not_know_has_delivered_nothing(warehouse: DuckDBWarehouse) -> None:
    assert "atlantis has not delivered a single day" in said(warehouse, "atlantis")[0]


def evaluate(warehouse: DuckDBWarehouse, severity: MissingDelivery) -> dict[str, dg.AssetCheckEvaluation]:
    @dg.asset(key=SALES_TRANSACTIONS)
    def sales() -> None: ...

    policy = DeliveryPolicy(THREE_DAYS.first_business_date, 6, 3, severity)
    result = dg.materialize(
        [sales, delivery_checks(["canada", "usa"], policy)],
        resources={"warehouse": warehouse, "clock": Clock(fixed_at=NOW.isoformat())},
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


@pytest.mark.parametrize(
    ("severity", "expected", "blocking"),
    [
        (MissingDelivery.WARN, dg.AssetCheckSeverity.WARN, False),
        (MissingDelivery.ERROR, dg.AssetCheckSeverity.ERROR, False),
        (MissingDelivery.BLOCK, dg.AssetCheckSeverity.ERROR, True),
    ],
)
def test_each_unit_has_a_check_whose_severity_is_the_policy_s(
    warehouse: DuckDBWarehouse, tmp_path, severity: MissingDelivery, expected: dg.AssetCheckSeverity, blocking: bool
) -> None:
    deliver_days(warehouse, tmp_path, "2022-01-30", "2022-01-31", "2022-02-01")
    checks = evaluate(warehouse, severity)
    assert checks["usa_has_delivered"].passed
    assert not checks["canada_has_delivered"].passed
    assert checks["canada_has_delivered"].severity is expected
    assert "canada has not delivered" in str(checks["canada_has_delivered"].description)
    specs = delivery_checks(["canada"], DeliveryPolicy(DAY, severity=severity)).check_specs
    assert [spec.blocking for spec in specs] == [blocking]


# Freshness -------------------------------------------------------------------------------------------------------------


def freshness(deployed: Deployment) -> dict[str, dg.FreshnessPolicy | None]:
    specs = deployed.definitions.resolve_all_asset_specs()
    return {spec.key.path[-1]: spec.freshness_policy for spec in specs if spec.key.path[-1].endswith("_deliveries")}


def test_each_unit_s_deliveries_have_a_freshness_policy_of_their_own(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    found = freshness(deployment(tmp_path, instance, delivery_hours=6))
    assert set(found) == {"canada_deliveries", "mexico_deliveries", "usa_deliveries"}
    assert {policy.fail_window.to_timedelta() for policy in found.values()} == {dt.timedelta(hours=30)}
    unwatched = deployment(tmp_path, instance, missing_delivery=MissingDelivery.OFF)
    assert set(freshness(unwatched).values()) == {None}


def reported(deployed: Deployment, folder: str) -> int:
    key = dg.AssetKey(["raw", f"{folder}_deliveries"])
    return len(deployed.instance.fetch_materializations(key, limit=100).records)


def test_only_the_unit_that_delivered_becomes_fresh_and_taking_a_file_out_is_no_delivery(ready: Deployment) -> None:
    deliver(ready.landing, sales_path(), csv(line(1)))
    deliver(ready.landing, sales_path("second.csv"), csv(line(2)))
    tags = {"dagster/partition": "usa|2022-01-31"}
    assert ready.run("ingest_sales", tags).success
    assert (reported(ready, "usa"), reported(ready, "canada")) == (1, 0)
    assert ready.run("ingest_sales", tags).success
    assert reported(ready, "usa") == 1
    with ready.warehouse.transaction() as transaction:
        history = Ledger(transaction).history(sales_path())
        Ledger(transaction).request(requested_step(Step.RETRACT, history, "somebody"), NOW.replace(tzinfo=None))
    assert ready.run("ingest_sales", tags).success
    assert len(sales(ready.warehouse)) == 1
    assert reported(ready, "usa") == 1


def test_what_is_held_or_refused_is_not_delivered(ready: Deployment) -> None:
    deliver(ready.landing, sales_path(), csv(*(line(number, quantity="x") for number in range(5))))
    deliver(ready.landing, sales_path(folder="canada"), b"no sales file")
    for folder in ("usa", "canada"):
        assert ready.run("ingest_sales", {"dagster/partition": f"{folder}|2022-01-31"}).success
    assert (reported(ready, "usa"), reported(ready, "canada")) == (0, 0)
    policy = DeliveryPolicy(dt.date(2022, 1, 31), days=1)
    with ready.warehouse.transaction() as transaction:
        found = missing_of_units(transaction, ["usa", "canada"], policy, at("2022-02-01T23:00+00:00"))
    assert [str(unit) for unit in found] == [
        "usa has not delivered 2022-01-31 (what came is held until someone approves it)",
        "canada has not delivered 2022-01-31 (what came was refused)",
    ]


def test_an_approved_file_is_a_delivery(ready: Deployment) -> None:
    deliver(ready.landing, sales_path(), csv(line(1), *(line(number, quantity="x") for number in range(2, 5))))
    assert ready.run("ingest_sales", {"dagster/partition": "usa|2022-01-31"}).success
    ask_for(ready.warehouse, Step.APPROVE, sales_path())
    assert ready.run("ingest_sales", {"dagster/partition": "usa|2022-01-31"}).success
    assert reported(ready, "usa") == 1
