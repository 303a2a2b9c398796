"""Whatever language, marks, dates and ids a till uses: what is proposed loads every row, and the takings to the cent."""

import random
from decimal import Decimal

import pyarrow as pa
import pytest

from globolatte_ingest.onboarding.preview import PreviewContext, preview
from globolatte_ingest.onboarding.proposal import propose
from globolatte_ingest.onboarding.sheet import read_sheet
from globolatte_ingest.onboarding.study import Known
from globolatte_ingest.paths import SalesFile
from globolatte_ingest.reading.landed_bytes import Content, FileLimits
from resources.landing.landing_zone import LandedFile
from tests.builders import NOW, UNITS
from tests.unit.ingest.tills.exports import CATALOGUE, DAY, Receipt, Truth, delimited, trade, truth_of

LIMITS = FileLimits(10_000_000)
KNOWN = Known(UNITS, {product: name for product, (name, _) in CATALOGUE.items()})
UNITS_TABLE = pa.Table.from_pylist(
    [
        {"business_unit_id": unit, "country": folder, "unit_name": folder, "folder": folder, "time_zone": "UTC"}
        for folder, unit in UNITS.items()
    ]
)
PRODUCTS = pa.table(
    {
        "product_id": list(CATALOGUE),
        "product_name": [name for name, _ in CATALOGUE.values()],
        "price": pa.array([Decimal(price) for _, price in CATALOGUE.values()], pa.decimal128(18, 2)),
    }
)

HEADERS = {
    "english": "Receipt No|Line Id|Item|Quantity|Unit Price|Line Total|Date|Time|Timestamp|Customer No|Store",
    "spanish": "Folio|Id de línea|Artículo|Cantidad|Precio unitario|Importe|Fecha|Hora|Fecha y hora|Cliente|Sucursal",
    "french": "N° de ticket|Id ligne|Désignation|Quantité|Prix unitaire|Montant TTC|Date|Heure|Horodatage|N° client|Magasin",
    "german": "Bon-Nr.|Pos-Id|Bezeichnung|Menge|Einzelpreis|Betrag|Datum|Uhrzeit|Zeitpunkt|Kundennummer|Filiale",
}

DATES = ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%Y/%m/%d")
TIMES = ("%H:%M", "%H:%M:%S", "%I:%M %p")


class Till:
    """A till of its own way of writing, told by a seed."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.headers = HEADERS[chance.choice(sorted(HEADERS))].split("|")
        self.delimiter = chance.choice((",", ";", "\t", "|"))
        self.decimal, self.thousands = chance.choice(((".", ""), (",", ""), (",", "."), (".", ","), (",", " ")))
        self.sign = chance.choice(("", "", "€", "$", "CHF"))
        self.date, self.time = chance.choice(DATES), chance.choice(TIMES)
        self.has_two_columns = chance.random() < 0.5
        self.has_line_ids = chance.random() < 0.5
        self.has_totals = chance.random() < 0.7
        self.has_names = chance.random() < 0.6
        self.encoding = chance.choice(("utf-8", "utf-8-sig", "cp1252", "utf-16"))
        self.title, self.footer = chance.choice((0, 0, 2)), chance.random() < 0.4
        self.receipts = trade(1000 + seed, receipts=60, discounts=0, refunds=0.06, last_hour=chance.choice((21, 26)))

    def amount(self, value: Decimal) -> str:
        text = f"{value:,.2f}".replace(",", "\t").replace(".", self.decimal).replace("\t", self.thousands)
        return f"{text} {self.sign}" if self.sign in ("€", "CHF") else f"{self.sign}{text}"

    def content(self) -> bytes:
        receipt, line, item, quantity, price, total, date, time, moment, customer, store = self.headers
        names = [receipt, *([line] if self.has_line_ids else []), item, quantity, total if self.has_totals else price]
        names += [date, time] if self.has_two_columns else [moment]
        rows: list[list[object]] = [[*names, customer, store]]
        place = 0
        for sold in self.receipts:
            sign = -1 if sold.kind == "refund" else 1
            for part in sold.lines:
                place += 1
                rows.append(
                    [*self.ids(sold, place), part.name if self.has_names else part.product, sign * part.quantity]
                )
                amount = sign * part.net * 100 if self.has_totals else part.price * 100
                rows[-1] += [self.amount(amount), *self.when(sold), sold.customer or "", "S01"]
        above = [["GloboLatte"], ["31 January"]][: self.title]
        below = [[f"{place} records"]] if self.footer else []
        return delimited([*above, *rows, *below], self.delimiter, "\r\n").encode(self.encoding)

    def ids(self, sold: Receipt, place: int) -> list[str]:
        return [f"R{sold.number:05d}", *([f"L{place:06d}"] if self.has_line_ids else [])]

    def when(self, sold: Receipt) -> list[str]:
        date, time = sold.moment.strftime(self.date), sold.moment.strftime(self.time)
        return [date, time] if self.has_two_columns else [f"{date} {time}"]


@pytest.mark.parametrize("seed", range(24))
def test_what_is_proposed_loads_every_row(seed: int) -> None:
    till = Till(seed)
    path, content = f"sales/canada/{DAY:%Y/%m/%d}/till.csv", till.content()
    proposal = propose(path, "canada", read_sheet(path, Content(content), LIMITS), KNOWN)
    assert proposal.faults == ()
    placed = SalesFile(LandedFile(path, "sample", len(content)), "canada", DAY)
    seen = preview(placed, content, proposal.table, UNITS_TABLE, PRODUCTS, PreviewContext(NOW, LIMITS, 0.2))
    sums, truth = seen.sums, truth_of(till.receipts)
    told = Truth(sums["rows"] - sums["refunds"], sums["refunds"], 0, Decimal(sums["takings"]) / 100, sums["anonymous"])
    assert (seen.status, seen.reasons, told) == ("loaded", {}, truth), proposal.table
