"""Windows: enough orders, enough days, no gap, and no way around them for broken deliveries."""

import datetime as dt

from globolatte_ml.monitoring.delivery import Delivery
from globolatte_ml.monitoring.windows import CHAIN, Window, WindowRules, complete_windows
from tests.unit.monitoring.monitoring_builders import FIRST, days

BEFORE = FIRST - dt.timedelta(days=1)
RULES = WindowRules(orders=300, days=21)


def windows(deliveries: list[Delivery], scope: str = "BU_US", **evaluated: dt.date) -> list[Window]:
    found = complete_windows(deliveries, BEFORE, RULES, evaluated_until=evaluated)
    return [window for window in found if window.scope == scope]


def spans(found: list[Window]) -> list[tuple[int, int]]:
    return [((w.first - FIRST).days, (w.last - FIRST).days) for w in found]


def test_many_sales_make_windows_of_the_least_number_of_days() -> None:
    assert spans(windows(days("BU_US", 45, 50))) == [(0, 20), (21, 41)]


def test_few_sales_make_windows_of_the_least_number_of_orders() -> None:
    found = windows(days("BU_US", 70, 10))
    assert spans(found) == [(0, 29), (30, 59)]
    assert [window.orders for window in found] == [300, 300]


def test_what_the_champion_learned_from_is_not_evaluated() -> None:
    assert spans(windows(days("BU_US", 40, 50, first=FIRST - dt.timedelta(days=10)))) == [(0, 20)]


def test_windows_go_on_after_those_evaluated_already() -> None:
    until = windows(days("BU_US", 45, 50))[0].last
    assert spans(windows(days("BU_US", 45, 50), BU_US=until)) == [(21, 41)]


def test_the_chain_waits_for_its_slowest_unit() -> None:
    deliveries = days("BU_US", 45, 50) + days("BU_CA", 25, 50)
    assert spans(windows(deliveries, CHAIN)) == [(0, 20)]


def test_the_chain_does_not_wait_for_a_unit_that_closed() -> None:
    deliveries = days("BU_US", 90, 50) + days("BU_CA", 5, 50)
    assert len(windows(deliveries, CHAIN)) == 4
    assert windows(deliveries, CHAIN)[-1].delivery.days_missing == 0


def test_a_unit_that_opens_later_is_not_missed_before() -> None:
    deliveries = days("BU_US", 21, 50) + days("BU_CA", 3, 50, first=FIRST + dt.timedelta(days=18))
    assert windows(deliveries, CHAIN)[0].delivery.days_missing == 0


def test_one_unit_needs_no_chain() -> None:
    assert {window.scope for window in complete_windows(days("BU_US", 45, 50), BEFORE, RULES)} == {"BU_US"}


def test_no_deliveries_make_no_windows() -> None:
    assert complete_windows([], BEFORE, RULES) == []


def test_a_till_that_sends_blanks_alone_is_counted_too() -> None:
    found = windows(days("BU_US", 45, 0, quarantined=20))
    assert spans(found) == [(0, 20), (21, 41)]
    assert "100% of 420 delivered rows were quarantined" in found[0].delivery.faults()[0]


def test_files_that_cannot_be_read_are_counted_too() -> None:
    refused = [Delivery("BU_US", FIRST + dt.timedelta(days=day), days_refused=1) for day in range(21)]
    assert "21 were refused" in windows(refused)[0].delivery.faults()[0]


def test_days_without_a_file_are_counted() -> None:
    deliveries = [day for number, day in enumerate(days("BU_US", 42, 50)) if number % 2 == 0]
    assert windows(deliveries)[0].delivery.days_missing == 10


def test_a_window_id_names_scope_and_dates() -> None:
    assert windows(days("BU_US", 21, 50))[0].window_id == "BU_US_2024-03-01_2024-03-21"
