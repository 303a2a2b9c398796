"""Sales exports in the shapes of thirteen tills and shops, each with the quirks that the real export has.

One seeded day of trade is written in each shape by us; no row comes from anywhere else. The docstring of each writer names the source of
the shape: column names, ways of writing dates and amounts, how refunds and voids stand in it. `Export.truth` is what an honest reading
of the file finds, and is counted while it is written, not read back.
"""

import csv
import datetime as dt
import io
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

DAY = dt.date(2022, 1, 31)

CATALOGUE = {
    "P001": ("Espresso", "2.50"),
    "P002": ("Caffè Latte", "4.25"),
    "P003": ("Cappuccino", "4.00"),
    "P004": ("Cold Brew", "4.75"),
    "P005": ("Hot Chocolate", "3.90"),
    "P006": ("Croissant", "2.10"),
    "P007": ("Blueberry Muffin", "2.95"),
    "P008": ("Baguette", "0.90"),
}
"""The chain's own catalogue: names and prices by product id."""

PRODUCTS_CSV = "product_id,product_name,category,price,stock_quantity\n" + "".join(
    f"{product},{name},Coffee,{price},100\n" for product, (name, price) in CATALOGUE.items()
)
"""The catalogue as a reference file."""

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Line:
    """One line of a receipt: how much of what, for how much each, and what was taken off the whole line."""

    product: str
    quantity: int
    price: Decimal
    discount: Decimal

    @property
    def name(self) -> str:
        return CATALOGUE[self.product][0]

    @property
    def gross(self) -> Decimal:
        return self.price * self.quantity

    @property
    def net(self) -> Decimal:
        return self.gross - self.discount


@dataclass(frozen=True)
class Receipt:
    """One visit: a sale, a void of it, or a refund (quantities are positive here, the writers turn them)."""

    number: int
    moment: dt.datetime
    customer: str | None
    payment: str
    kind: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Truth:
    """What the file says to one who knows the till: lines by kind, takings of sales and refunds together, anonymous lines."""

    sales: int
    refunds: int
    voids: int
    takings: Decimal
    anonymous: int


@dataclass(frozen=True)
class Export:
    """A file as the till writes it, where it lands, and what it says."""

    name: str
    folder: str
    file: str
    content: bytes
    truth: Truth
    loads: bool = True
    """Whether it is expected to load after `--write` without a further edit."""
    why_not: str = ""
    days: tuple[dt.date, ...] = field(default=(DAY,))

    @property
    def path(self) -> str:
        """Where it lands."""
        return f"sales/{self.folder}/{self.days[0]:%Y/%m/%d}/{self.file}"


def trade(
    seed: int,
    receipts: int = 90,
    *,
    anonymous: float = 0.3,
    refunds: float = 0.05,
    voids: float = 0.0,
    discounts: float = 0.1,
    last_hour: int = 21,
    day: dt.date = DAY,
) -> list[Receipt]:
    """A seeded day: receipts in the order of time, from seven in the morning until `last_hour` (above 24: after midnight)."""
    chance = random.Random(seed)
    start = dt.datetime.combine(day, dt.time(7))
    seconds = sorted(chance.sample(range((last_hour - 7) * 3600), receipts))
    found = []
    for number, second in enumerate(seconds, start=1):
        kind = "refund" if chance.random() < refunds else "void" if chance.random() < voids else "sale"
        lines = []
        for product in chance.sample(sorted(CATALOGUE), 1 if kind == "refund" else chance.choice((1, 1, 1, 2, 2, 3))):
            quantity, price = chance.choice((1, 1, 1, 2, 3)), Decimal(CATALOGUE[product][1])
            has_discount = kind == "sale" and chance.random() < discounts
            off = (price * quantity * Decimal("0.1")).quantize(CENT) if has_discount else Decimal("0.00")
            lines.append(Line(product, quantity, price, off))
        customer = None if chance.random() < anonymous else f"C{chance.randint(1, 40):04d}"
        payment = chance.choice(("Cash", "Card", "Card", "Wallet"))
        found.append(Receipt(number, start + dt.timedelta(seconds=second), customer, payment, kind, tuple(lines)))
    return found


def truth_of(receipts: Iterable[Receipt], *, with_customers: bool = True) -> Truth:
    """Counts the lines by kind; a void brings nothing in."""
    rows = [(receipt, line) for receipt in receipts for line in receipt.lines]
    kinds = [receipt.kind for receipt, _ in rows]
    signs = {"sale": 1, "refund": -1, "void": 0}
    return Truth(
        kinds.count("sale"),
        kinds.count("refund"),
        kinds.count("void"),
        sum((signs[receipt.kind] * line.net for receipt, line in rows), Decimal(0)),
        sum(receipt.customer is None or not with_customers for receipt, _ in rows),
    )


def delimited(rows: Iterable[Sequence[object]], delimiter: str = ",", ending: str = "\n") -> str:
    """The rows as CSV, quotes where they are needed."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator=ending).writerows(rows)
    return buffer.getvalue()


def _columns(header: str) -> list[str]:
    return header.split(",")


def us_date(moment: dt.datetime, *, short_year: bool = False) -> str:
    """Month, day and year without leading zeros, as spreadsheets in the USA write them."""
    return f"{moment.month}/{moment.day}/{moment:%y}" if short_year else f"{moment.month}/{moment.day}/{moment.year}"


def us_time(moment: dt.datetime) -> str:
    """Twelve-hour clock without a leading zero."""
    return f"{moment.hour % 12 or 12}:{moment:%M %p}"


def comma(amount: Decimal) -> str:
    """A decimal comma."""
    return f"{amount:.2f}".replace(".", ",")


def square() -> Export:
    """Square's item sales detail (Dashboard → Reports → Item sales → Export detail): 35 columns, dollar signs, refunds in negative.

    Header and value forms as quoted from exports in public parsers of it: `Date` 2026-07-18, `Time` 12:59:30, money `$8.00`, `Qty` 1.0,
    `Event Type` Payment or Refund. `Transaction ID` stands on every line of a receipt; no column names the line. An article that is not
    in the catalogue is rung up as `Custom Amount`.
    """
    header = _columns(
        "Date,Time,Time Zone,Category,Item,Qty,Price Point Name,SKU,Modifiers Applied,Gross Sales,Discounts,Net Sales,Tax,Transaction ID,"
        "Payment ID,Device Name,Notes,Details,Event Type,Location,Dining Option,Customer ID,Customer Name,Customer Reference ID,Unit,"
        "Count,GTIN,Itemization Type,Commission,Employee,Fulfillment Note,Channel,Token,Card Brand,PAN Suffix"
    )
    chance, day = random.Random(1), trade(101, refunds=0.06)

    def money(amount: Decimal) -> str:
        return f"-${-amount:.2f}" if amount < 0 else f"${amount:.2f}"

    rows: list[Sequence[object]] = [header]
    for receipt in day:
        sign, token = (-1 if receipt.kind == "refund" else 1), f"{chance.getrandbits(80):020X}"
        for line in receipt.lines:
            row = dict.fromkeys(header, "") | {
                "Date": f"{receipt.moment:%Y-%m-%d}",
                "Time": f"{receipt.moment:%H:%M:%S}",
                "Time Zone": "Eastern Time (US & Canada)",
                "Category": "Drinks" if line.product < "P006" else "Bakery",
                "Item": line.name,
                "Qty": f"{sign * line.quantity}.0",
                "Price Point Name": "Regular",
                "Gross Sales": money(sign * line.gross),
                "Discounts": money(-line.discount),
                "Net Sales": money(sign * line.net),
                "Tax": "$0.00",
                "Transaction ID": token,
                "Payment ID": f"pay{token[:10]}",
                "Device Name": "Front counter, left",
                "Details": f"https://example.com/sales/{token}",
                "Event Type": "Refund" if sign < 0 else "Payment",
                "Location": "GloboLatte Midtown",
                "Dining Option": chance.choice(("For Here", "To Go", "")),
                "Customer ID": receipt.customer or "",
                "Unit": "ea",
                "Count": str(sign * line.quantity),
                "Itemization Type": "Physical Good",
                "Channel": "GloboLatte Midtown",
                "Token": f"V{line.product[1:]}TOKEN",
                "Card Brand": "Visa" if receipt.payment == "Card" else "",
            }
            rows.append(list(row.values()))
    return Export("square", "usa", "items-2022-01-31-2022-02-01.csv", delimited(rows).encode(), truth_of(day))


def toast() -> Export:
    """Toast's item selection details (`ItemSelectionDetails.csv` of the data exports), as its data export field reference lists it.

    Dates M/D/YY with a twelve-hour clock; ids of eighteen digits; one row per item of a check; `Void?` true or false, and a voided item
    has no net price. Sales after midnight belong to the business day of the evening before.
    """
    header = _columns(
        "Location,Order Id,Order #,Sent Date,Order Date,Check Id,Server,Table,Dining Area,Service,Dining Option,Item Selection Id,Item Id,"
        "Master Id,SKU,PLU,Menu Item,Menu Subgroup(s),Menu Group,Menu,Sales Category,Gross Price,Discount,Net Price,Qty,Tax,Void?,"
        "Deferred,Tax Exempt,Tax Inclusion Option,Dining Option Tax,Tab Name"
    )
    day = trade(102, receipts=110, refunds=0, voids=0.05, last_hour=26)
    rows: list[Sequence[object]] = [header]
    selection = 400000021234567000
    for receipt in day:
        when = f"{us_date(receipt.moment, short_year=True)} {us_time(receipt.moment)}"
        for line in receipt.lines:
            selection += 37
            is_void = receipt.kind == "void"
            row = dict.fromkeys(header, "") | {
                "Location": "GloboLatte Harbor",
                "Order Id": str(400000011234500000 + receipt.number),
                "Order #": str(receipt.number),
                "Sent Date": when,
                "Order Date": when,
                "Check Id": str(400000031234500000 + receipt.number),
                "Server": "Sam B.",
                "Table": str(receipt.number % 12 + 1),
                "Dining Area": "Bar",
                "Service": "Dinner" if receipt.moment.hour >= 17 else "Breakfast",
                "Dining Option": "Dine In",
                "Item Selection Id": str(selection),
                "Item Id": str(400000041000000000 + int(line.product[1:])),
                "Master Id": str(400000051000000000 + int(line.product[1:])),
                "Menu Item": line.name,
                "Menu Group": "Coffee",
                "Menu": "All day",
                "Sales Category": "NA Beverage",
                "Gross Price": f"{line.gross:.2f}",
                "Discount": f"{line.discount:.2f}",
                "Net Price": "0.00" if is_void else f"{line.net:.2f}",
                "Qty": f"{line.quantity}.0",
                "Tax": "0.00",
                "Void?": "true" if is_void else "false",
                "Deferred": "false",
                "Tax Exempt": "false",
                "Tax Inclusion Option": "NOT_INCLUDED",
            }
            rows.append(list(row.values()))
    truth = truth_of(day, with_customers=False)
    return Export("toast", "usa", "ItemSelectionDetails.csv", delimited(rows, ending="\r\n").encode(), truth)


def lightspeed() -> Export:
    """Transaction items of Lightspeed Retail (S-Series, once ShopKeep), with the columns that a public loader of it maps.

    One row per line with its number in `Line Item`; returns by `Operation Type` and in negative; date and time in one column, AM/PM.
    """
    header = _columns(
        "Time,Register Name/Number,Cashier Name,Operation Type,Store Code,UPC,Line Item,Department,Category,Supplier,Supplier Code,Cost,"
        "Price,Quantity,Modifiers,Subtotal,Discounts,Net Total,Tax,Total Due,Transaction ID,Customer ID"
    )
    day = trade(103, refunds=0.07)
    rows: list[Sequence[object]] = [header]
    for receipt in day:
        sign = -1 if receipt.kind == "refund" else 1
        for line in receipt.lines:
            row = dict.fromkeys(header, "") | {
                "Time": f"{receipt.moment:%m/%d/%Y %I:%M:%S %p}",
                "Register Name/Number": "Register 1",
                "Cashier Name": "Kim",
                "Operation Type": "Return" if sign < 0 else "Sale",
                "Store Code": line.product,
                "Line Item": line.name,
                "Department": "Cafe",
                "Category": "Drinks",
                "Cost": "1.10",
                "Price": f"{line.price:.2f}",
                "Quantity": str(sign * line.quantity),
                "Subtotal": f"{sign * line.gross:.2f}",
                "Discounts": f"{line.discount:.2f}",
                "Net Total": f"{sign * line.net:.2f}",
                "Tax": "0.00",
                "Total Due": f"{sign * line.net:.2f}",
                "Transaction ID": str(1204500 + receipt.number),
                "Customer ID": receipt.customer or "",
            }
            rows.append(list(row.values()))
    return Export("lightspeed", "canada", "transaction-items.csv", delimited(rows).encode(), truth_of(day))


def shopify() -> Export:
    """Shopify's orders export (Orders → Export): what belongs to the order stands on its first line alone, times with their offset.

    Columns as public readers of it list them. `Lineitem price` is for one piece, so the line's amount is price × quantity less
    `Lineitem discount`; refunds are an amount of the order (`Refunded Amount`), not lines, and are left out here.
    """
    header = _columns(
        "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,Taxes,Total,"
        "Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,Lineitem price,"
        "Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,Lineitem fulfillment status,Billing Name,"
        "Notes,Cancelled at,Payment Method,Refunded Amount,Vendor,Id,Tags,Source,Lineitem discount"
    )
    day = trade(104, receipts=60, anonymous=0, refunds=0, discounts=0)
    rows: list[Sequence[object]] = [header]
    for receipt in day:
        when = f"{receipt.moment:%Y-%m-%d %H:%M:%S} -0500"
        total = sum((line.net for line in receipt.lines), Decimal(0))
        for place, line in enumerate(receipt.lines):
            of_order = {
                "Financial Status": "paid",
                "Paid at": when,
                "Fulfillment Status": "fulfilled",
                "Accepts Marketing": "no",
                "Currency": "USD",
                "Subtotal": f"{total:.2f}",
                "Shipping": "0.00",
                "Taxes": "0.00",
                "Total": f"{total:.2f}",
                "Discount Amount": "0.00",
                "Payment Method": "Shopify Payments",
                "Refunded Amount": "0.00",
                "Id": str(5550000000 + receipt.number),
                "Source": "web",
            }
            row = (
                dict.fromkeys(header, "")
                | (of_order if place == 0 else {})
                | {
                    "Name": f"#{1000 + receipt.number}",
                    "Email": f"{(receipt.customer or '').lower()}@example.com",
                    "Created at": when,
                    "Lineitem quantity": str(line.quantity),
                    "Lineitem name": line.name,
                    "Lineitem price": f"{line.price:.2f}",
                    "Lineitem sku": line.product,
                    "Lineitem requires shipping": "true",
                    "Lineitem taxable": "true",
                    "Lineitem fulfillment status": "fulfilled",
                    "Vendor": "GloboLatte",
                    "Lineitem discount": "0.00",
                }
            )
            rows.append(list(row.values()))
    return Export("shopify", "usa", "orders_export_1.csv", delimited(rows).encode(), truth_of(day))


def sumup() -> Export:
    """SumUp's sales report by item, with the columns that public converters of it read: dates DD.MM.YY, time apart, Swiss francs.

    `Type` is Sales or Refund; a refund's amounts are negative while its quantity is not. Descriptions end in blanks.
    """
    header = _columns(
        "Account,Date,Time,Type,Transaction ID,Receipt Number,Payment Method,Quantity,Description,Currency,Price (Gross),Price (Net),Tax,"
        "Tax rate,Transaction refunded"
    )
    chance, day = random.Random(5), trade(205, refunds=0.05, discounts=0)
    rows: list[Sequence[object]] = [header]
    for receipt in day:
        sign, code = (-1 if receipt.kind == "refund" else 1), f"T{chance.getrandbits(44):09X}"[:10]
        rows.extend(
            [
                "till@example.com", f"{receipt.moment:%d.%m.%y}", f"{receipt.moment:%H:%M}", "Refund" if sign < 0 else "Sales", code,
                f"S2022{receipt.number:07d}", receipt.payment, line.quantity, f"{line.name} ", "CHF", f"{sign * line.net:.2f}",
                f"{sign * line.net:.2f}", "0.00", "0%", "",
            ]
            for line in receipt.lines
        )  # fmt: skip
    return Export(
        "sumup", "canada", "Sales-report-items.csv", delimited(rows).encode(), truth_of(day, with_customers=False)
    )


def french_bakery() -> Export:
    """A European till: semicolons, `0,90 €`, names in capitals, an index in front that has no name, receipt numbers like 150040.0.

    The shape of a public data set of a French bakery's sales (date, time, ticket_number, article, Quantity, unit_price), exported from
    a till and passed through a spreadsheet and pandas. Returned goods have a negative quantity; a key pressed by mistake is the article
    `.` at 0,00 €.
    """
    day = trade(106, anonymous=1, refunds=0.04, discounts=0)
    rows: list[Sequence[object]] = [["", "date", "time", "ticket_number", "article", "Quantity", "unit_price"]]
    place = 0
    for receipt in day:
        sign = -1 if receipt.kind == "refund" else 1
        for line in receipt.lines:
            rows.append(
                [
                    place, f"{receipt.moment:%Y-%m-%d}", f"{receipt.moment:%H:%M}", f"{150000 + receipt.number}.0",
                    line.name.upper(), f"{sign * line.quantity}.0", f"{comma(line.price)} €",
                ]
            )  # fmt: skip
            place += 1 + place % 3
    return Export("french_bakery", "canada", "bakery_2022-01-31.csv", delimited(rows, ";").encode(), truth_of(day))


def vending() -> Export:
    """Telemetry of vending machines: one vend a row, machine and coil instead of a shop and a receipt, nobody known.

    Fields as a vending platform's transaction model lists them (id, recordedAtUtc, siteName, machineId, selection, product name,
    quantity, total price), as a report in CSV. One sale is one transaction; a failed vend gives the money back as a row of its own.
    """
    header = "Transaction Id;Machine Id;Site Name;Selection;Product Name;Quantity;Total Price;Payment Type;Recorded At;Vend Result"
    day = [
        Receipt(receipt.number, receipt.moment, None, receipt.payment, receipt.kind, receipt.lines[:1])
        for receipt in trade(107, receipts=140, anonymous=1, refunds=0.02, discounts=0)
    ]
    rows: list[Sequence[object]] = [header.split(";")]
    for receipt in day:
        sign, line = (-1 if receipt.kind == "refund" else 1), receipt.lines[0]
        rows.append(
            [
                f"VN-{880000 + receipt.number}", f"{receipt.number % 4 + 4101}", "Airport T2", f"A{int(line.product[1:]):02d}", line.name,
                sign * line.quantity, f"{sign * line.net:.2f}", receipt.payment, f"{receipt.moment:%Y-%m-%dT%H:%M:%S}",
                "Refunded" if sign < 0 else "Vended",
            ]
        )  # fmt: skip
    return Export("vending", "usa", "vends_20220131.csv", delimited(rows, ";").encode(), truth_of(day))


def mexican_spreadsheet() -> Export:
    """A shop's own spreadsheet in Mexico, saved as CSV by a Spanish Excel: Windows-1252, semicolons, two title lines, a totals row.

    Header words as Mexican tills write them (Folio, Fecha, Hora, Producto, Cantidad, Precio, Importe, Forma de pago, Estado); amounts
    with a peso sign and thousands; cancelled receipts and returns by `Estado`, in negative; the receipt for nobody is made out to
    `Público en general`.
    """
    day = trade(108, refunds=0.04, voids=0.04, discounts=0)
    wedding = Line("P002", 60, Decimal("4.25"), Decimal("0.00"))
    day.append(Receipt(91, dt.datetime.combine(DAY, dt.time(21, 30)), None, "Cash", "sale", (wedding,)))

    def pesos(amount: Decimal) -> str:
        return f"-${-amount:,.2f}" if amount < 0 else f"${amount:,.2f}"

    words = {"sale": "Pagada", "refund": "Devolución", "void": "Cancelada"}
    pay = {"Cash": "Efectivo", "Card": "Tarjeta de crédito", "Wallet": "Transferencia"}
    header = [
        "Folio",
        "Fecha",
        "Hora",
        "Producto",
        "Cantidad",
        "Precio",
        "Importe",
        "Forma de pago",
        "Cliente",
        "Estado",
    ]
    rows: list[Sequence[object]] = [
        ["GloboLatte México, S.A. de C.V.", *[""] * 9],
        ["Reporte de ventas del 31/01/2022", *[""] * 9],
        header,
    ]
    total = Decimal(0)
    for receipt in day:
        sign = 1 if receipt.kind == "sale" else -1
        for line in receipt.lines:
            amount, price = sign * line.net * 20, line.price * 20
            total += amount
            rows.append(
                [
                    f"A-{receipt.number:05d}", f"{receipt.moment:%d/%m/%Y}", f"{receipt.moment:%H:%M}", line.name,
                    sign * line.quantity, pesos(price), pesos(amount), pay[receipt.payment],
                    receipt.customer or "Público en general", words[receipt.kind],
                ]
            )  # fmt: skip
    rows.append(["TOTAL", "", "", "", "", "", pesos(total), "", "", ""])
    truth = truth_of(day)
    truth = Truth(truth.sales, truth.refunds, truth.voids, truth.takings * 20, truth.anonymous)
    return Export(
        "mexican_spreadsheet", "mexico", "ventas 31-01-2022.csv", delimited(rows, ";", "\r\n").encode("cp1252"), truth
    )


def database_dump() -> Export:
    r"""A plain table in the text format of PostgreSQL's COPY with HEADER (its manual): tabs, `\N` for NULL, timestamps with fractions.

    A column for everything that an application writes: surrogate keys, a soft delete, cents.
    """
    day = trade(109, refunds=0.03)
    header = "id ticket_id branch_code product_code qty amount discount_amount sold_at member_id tender created_by deleted_at"
    lines = ["\t".join(header.split())]
    place = 7_300_000
    for receipt in day:
        sign = -1 if receipt.kind == "refund" else 1
        for line in receipt.lines:
            place += 1
            values = [
                place, 99_000 + receipt.number, "NYC-04", line.product, sign * line.quantity, f"{sign * line.net:.2f}",
                f"{line.discount:.2f}", f"{receipt.moment:%Y-%m-%d %H:%M:%S}.{place % 1000:03d}", receipt.customer or r"\N",
                receipt.payment.lower(), "till-4", r"\N",
            ]  # fmt: skip
            lines.append("\t".join(map(str, values)))
    return Export("database_dump", "usa", "sale_lines.csv", ("\n".join(lines) + "\n").encode(), truth_of(day))


def american_register() -> Export:
    """A register of the USA that writes for a spreadsheet: date and time apart, both without leading zeros, AM/PM, a line of its settings.

    Words of point-of-sale field references (Check #, Item, Qty, Price, Ext Price, Disc, Tender, Member #, Store); a report title above,
    a line with the number of records below; open until two at night, and the night belongs to the day before.
    """
    day = trade(110, receipts=100, last_hour=26, refunds=0.04)
    rows: list[Sequence[object]] = [
        ["Sales Journal Detail", "Store 0012", "Business Date 1/31/2022"],
        [],
        _columns("Date,Time,Store,Check #,Seq,Item,Qty,Price,Ext Price,Disc,Net,Tender,Member #"),
    ]
    count = 0
    for receipt in day:
        sign = -1 if receipt.kind == "refund" else 1
        for place, line in enumerate(receipt.lines, start=1):
            count += 1
            rows.append(
                [
                    us_date(receipt.moment), us_time(receipt.moment), "0012", receipt.number, place, line.name, sign * line.quantity,
                    f"{line.price:.2f}", f"{sign * line.gross:.2f}", f"{line.discount:.2f}", f"{sign * line.net:.2f}",
                    receipt.payment, receipt.customer or "",
                ]
            )  # fmt: skip
    rows.append([f"{count} records"])
    return Export("american_register", "usa", "journal_0012.csv", delimited(rows).encode(), truth_of(day))


def eight_columns() -> Export:
    """The customer's own published sample: eight columns, no order, no weather, rows of four units in one file, one unit unknown here."""
    day = trade(111, anonymous=0, refunds=0, discounts=0)
    units = ("BU_US", "BU_CA", "BU_MX", "BU_XX")
    header = "transaction_id,business_unit,product_id,customer_id,quantity,total_price,transaction_date,payment_method"
    rows: list[Sequence[object]] = [header.split(",")]
    number, known = 0, []
    for receipt in day:
        unit = "BU_XX" if receipt.number % 30 == 0 else units[receipt.number % 3]
        if unit != "BU_XX":
            known.append(receipt)
        for line in receipt.lines:
            number += 1
            rows.append(
                [
                    f"TXN{number:06d}", unit, line.product, receipt.customer, line.quantity, f"{line.net:.2f}",
                    f"{receipt.moment:%Y-%m-%d %H:%M:%S}", {"Cash": "Cash", "Card": "Credit Card"}.get(receipt.payment, "Mobile App"),
                ]
            )  # fmt: skip
    return Export("eight_columns", "usa", "sales_20220131.csv", delimited(rows).encode(), truth_of(known))


def online_retailer() -> Export:
    """A public data set of a British online retailer, in its columns: m/d/yyyy h:mm, cancelled invoices named C…, a quarter of nobody.

    InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country (UCI Machine Learning Repository, Online
    Retail). Several days in one file; customers like 17850.0; descriptions in capitals.
    """
    days = tuple(DAY + dt.timedelta(days=place) for place in (-2, -1, 0))
    rows: list[Sequence[object]] = [
        _columns("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country")
    ]
    receipts: list[Receipt] = []
    for place, day in enumerate(days):
        receipts += trade(112 + place, receipts=50, anonymous=0.25, refunds=0.03, discounts=0, day=day)
    for invoice, receipt in enumerate(receipts, start=536365):
        sign = -1 if receipt.kind == "refund" else 1
        rows.extend(
            [
                f"{'C' if sign < 0 else ''}{invoice}", line.product, line.name.upper(), sign * line.quantity,
                f"{us_date(receipt.moment)} {receipt.moment.hour}:{receipt.moment:%M}", f"{line.price:f}",
                f"{17000 + int(receipt.customer[1:])}.0" if receipt.customer else "", "United Kingdom",
            ]
            for line in receipt.lines
        )  # fmt: skip
    return Export(
        "online_retailer",
        "usa",
        "online_retail.csv",
        delimited(rows).encode("cp1252"),
        truth_of(receipts),
        loads=False,
        why_not="a file holds one business date, and it has three",
        days=days[::-1],
    )


def german_till() -> Export:
    """A German till's journal in the words of DSFinV-K, the form that tills in Germany have to export (BON_ID, POS_ZEILE, ARTIKELTEXT …).

    Semicolons, decimal commas, dates DD.MM.YYYY with the time in one column, cancelled receipts by STORNO and in negative, a byte order
    mark; open after midnight.
    """
    day = trade(120, receipts=80, anonymous=1, refunds=0, voids=0.04, discounts=0, last_hour=25)
    header = "KASSEN_ID;BON_ID;POS_ZEILE;BON_ZEIT;ARTIKELTEXT;MENGE;EINZELPREIS;BRUTTOBETRAG;ZAHLART;STORNO"
    rows: list[Sequence[object]] = [header.split(";")]
    for receipt in day:
        sign = -1 if receipt.kind == "void" else 1
        rows.extend(
            [
                "K1", f"2022-{receipt.number:06d}", place, f"{receipt.moment:%d.%m.%Y %H:%M:%S}", line.name, sign * line.quantity,
                comma(line.price), comma(sign * line.net), {"Cash": "Bar"}.get(receipt.payment, "Unbar"),
                "ja" if sign < 0 else "nein",
            ]
            for place, line in enumerate(receipt.lines, start=1)
        )  # fmt: skip
    return Export(
        "german_till",
        "canada",
        "einzelaufzeichnung.csv",
        delimited(rows, ";", "\r\n").encode("utf-8-sig"),
        truth_of(day),
    )


WRITERS: tuple[Callable[[], Export], ...] = (
    square,
    toast,
    lightspeed,
    shopify,
    sumup,
    french_bakery,
    vending,
    mexican_spreadsheet,
    database_dump,
    american_register,
    eight_columns,
    online_retailer,
    german_till,
)
"""One per till, in the order of the documentation."""
