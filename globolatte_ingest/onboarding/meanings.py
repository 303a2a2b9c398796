"""What a source's other columns mean: product, store, payment, refunds and voids, ids of lines, receipts and customers."""

import difflib
from collections import Counter
from collections.abc import Mapping

import numpy as np
from pyarrow import compute

from globolatte_ingest.onboarding.sheet import Column
from globolatte_ingest.onboarding.study import MOST_NAMED, Study, named, percent
from globolatte_ingest.onboarding.values import FLOAT_ID, LOST_ID
from globolatte_ingest.onboarding.words import (
    NO,
    REFUND_WORDS,
    SALE_WORDS,
    VOID_WORDS,
    YES,
    is_nobody,
    likeness,
    plain,
    says,
)
from globolatte_ingest.validation import WEATHER_TYPES

NAME_OR_CODE = 0.5
"""The share of a column's rows that has to be known to the catalogue, for the column to be the product's."""


def find_product(study: Study) -> None:
    """The column whose values the catalogue knows best, by id, by name, or by a name written in another way."""
    ids, names = set(study.known.products), {name.casefold() for name in study.known.products.values()}
    near = {plain(name): product for product, name in study.known.products.items()}

    def known(column: Column) -> tuple[float, str]:
        """The share of its rows that is known, and by what."""
        total = max(sum(column.counts.values()), 1)
        by = {
            "id": sum(n for value, n in column.counts.items() if value in ids),
            "name": sum(n for value, n in column.counts.items() if value.casefold() in names),
            "alias": sum(n for value, n in column.counts.items() if plain(value) in near),
        }
        best = max(by, key=lambda kind: (by[kind], ("alias", "name", "id").index(kind)))
        return by[best] / total, best

    scored = [(known(column), likeness(column.header, "product_id"), column) for column in study.free()]
    fit = [(share, like, by, column) for (share, by), like, column in scored if share >= NAME_OR_CODE]
    if not fit:
        column = study.take(
            "product_id", study.best("product_id", lambda column: column.numbers is None and column.filled > 0.5)
        )
        if column is None:
            study.faults.append("no column names the product; export the sales by article")
        elif not study.known.products:
            study.questions.append(
                f"Are the values of {column.header!r} the catalogue's product ids? reference/products.csv is not there yet to compare"
            )
        else:
            _map_products(study, column, "alias", near)
        return
    share, _, by, column = max(fit, key=lambda found: (round(found[0], 2), found[2] == "id", found[1]))
    study.take("product_id", column)
    words = {"id": "ids", "name": "names", "alias": "names, written in another way,"}
    study.findings.append(
        f"column {column.header!r} has the catalogue's product {words[by]} in {percent(share)} of the rows"
    )
    _map_products(study, column, by, near)


def _map_products(study: Study, column: Column, by: str, near: Mapping[str, str]) -> None:
    """Declares names and aliases, and asks about values that are no product."""
    counted = compute.value_counts(study.whole(column)).to_pylist()
    counts = {entry["values"]: entry["counts"] for entry in counted if entry["values"]}
    products = study.known.products
    if by == "name":
        study.table["products"] = "name"
    names = {name.casefold() for name in products.values()} if by == "name" else set()
    rest = [value for value in counts if value not in products and value.casefold() not in names]
    aliases = {value: near[plain(value)] for value in rest if plain(value) in near}
    if aliases:
        study.table["product_aliases"] = dict(sorted(aliases.items()))
    unknown = [value for value in rest if value not in aliases]
    if not unknown:
        return
    rows = sum(counts[value] for value in unknown)
    alike = {
        value: products[near[match[0]]]
        for value in unknown[:MOST_NAMED]
        if (match := difflib.get_close_matches(plain(value), list(near), 1, 0.75))
    }
    guess = f" {'; '.join(f'{value!r} looks like {name!r}' for value, name in alike.items())}." if alike else ""
    study.questions.append(
        f"What are {named(sorted(unknown, key=lambda value: -counts[value]))} in {column.header!r} ({rows} rows)? The catalogue has no "
        f"such product: add them to reference/products.csv, or say which product they are under product_aliases.{guess}"
    )


def find_words(study: Study) -> None:
    """Payment, store, weather, promotion, and what a refund refers to: optional, by name, where the values can be that."""

    def is_text(column: Column) -> bool:
        return bool(column.few) and column.moments is None

    def is_payment(column: Column) -> bool:
        return is_text(column) and len(column.few) <= 40 and column.filled > 0.5

    def is_store(column: Column) -> bool:
        return is_text(column) and column.filled > 0.98 and len(column.few) <= max(50, len(column.values) // 50)

    study.take("payment_method", study.best("payment_method", is_payment))
    store = study.take("store_id", study.best("store_id", is_store))
    if store is not None:
        study.findings.append(f"column {store.header!r} names the store: {named(store.few)}")
    weathers = {weather.lower() for weather in WEATHER_TYPES}
    study.take(
        "weather",
        study.best("weather", lambda column: bool(column.few) and {v.lower() for v in column.few} <= weathers),
    )
    study.take("promotion", study.best("promotion", is_text))
    study.take("refunded_order_id", study.best("refunded_order_id", lambda column: column.moments is None))
    study.take("refunded_date", study.best("refunded_date", lambda column: column.moments is not None))


def kind_of(value: str, header: str) -> str | None:
    """What a value says of its row: a refund, a void, a sale; none if it says nothing of the kind."""
    for kind, words in (("void", VOID_WORDS), ("refund", REFUND_WORDS)):
        if says(value, words):
            return kind
        if says(header, words) and plain(value) in YES:
            return kind
    is_sale = says(value, SALE_WORDS) or (says(header, (*VOID_WORDS, *REFUND_WORDS)) and plain(value) in NO)
    return "sale" if is_sale else None


def find_kind(study: Study) -> None:
    """Refunds and voids: by the sign of amount or quantity alone where that tells all, else by a column that says so."""
    amounts = [
        study.amounts(study.taken[meaning])
        for meaning in ("quantity", "total_price", "unit_price")
        if meaning in study.taken
    ]
    is_negative = np.any([amount < 0 for amount in amounts], axis=0) if amounts else np.zeros(0, bool)
    candidates = []
    for column in study.free():
        kinds = {value: kind_of(value, column.header) for value in column.few} if 0 < len(column.few) <= 12 else {}
        if column.filled > 0.98 and {"refund", "void"} & set(kinds.values()):
            candidates.append((likeness(column.header, "kind"), column, kinds))
    share = float(np.mean(is_negative)) if len(is_negative) else 0.0
    if not candidates:
        if share:
            study.findings.append(f"{percent(share)} of the rows are refunds, by their sign")
        else:
            study.questions.append("No row of the sample is a refund or a void. How does the source write one?")
        return
    _, column, kinds = max(candidates, key=lambda found: found[0])
    given = np.array([kinds.get(value) or "sale" for value in column.values])
    tells_no_more = not np.any(given == "void") and np.array_equal(given == "refund", is_negative)
    words = [f"{value!r} is a {kind}" for value, kind in kinds.items() if kind in ("refund", "void")]
    if tells_no_more:
        study.left_out.add(column.place)
        study.findings.append(
            f"{percent(share)} of the rows are refunds, by their sign; column {column.header!r} says the same"
        )
        return
    study.take("kind", column)
    study.table["kinds"] = {value: kind or "sale" for value, kind in kinds.items()}
    study.findings.append(f"column {column.header!r}: {', '.join(words)}")
    if unsure := [value for value, kind in kinds.items() if kind is None]:
        study.questions.append(f"Are rows with {named(unsure)} in {column.header!r} sales? They are taken for such")
    wrong = float(np.mean(~is_negative[given == "refund"])) if np.any(given == "refund") else 0.0
    if wrong:
        study.questions.append(
            f"{percent(wrong)} of the refunds have an amount that is not below zero: is it booked off? They go into quarantine as they are"
        )


def _is_id(column: Column) -> bool:
    return (
        column.filled > 0.98
        and column.moments is None
        and (
            column.numbers is None
            or (column.numbers.is_whole and not column.numbers.signs and not column.numbers.has_negative)
        )
    )


def find_ids(study: Study) -> None:
    """The line's id and the receipt's: by their names, and by which values repeat; each counted over all rows."""
    rows = study.sheet.table.num_rows
    candidates = [
        column
        for column in study.free()
        if _is_id(column) and (likeness(column.header, "transaction_id") or likeness(column.header, "order_id"))
    ]
    repeats = {column.place: rows - compute.count_distinct(study.whole(column)).as_py() for column in candidates}
    unique = [column for column in candidates if not repeats[column.place]]
    shared = [column for column in candidates if repeats[column.place] > 0.002 * rows]
    nearly = [column for column in candidates if 0 < repeats[column.place] <= 0.002 * rows]
    line = study.best("transaction_id", lambda _: True, unique) or next(iter(unique), None)
    if line is None and (line := study.best("transaction_id", lambda _: True, nearly)) is not None:
        study.questions.append(
            f"Are the values of {line.header!r} unique? {repeats[line.place]} of {rows} rows repeat one "
            f"({named(_repeated(study, line))}): those go into quarantine"
        )
    receipt = study.best("order_id", lambda _: True, [column for column in shared if column is not line])
    if line is not None:
        study.take("transaction_id", line)
        study.findings.append(f"column {line.header!r} names the line: unique in all {rows} rows")
    if receipt is not None:
        study.take("order_id", receipt)
        per = rows / max(rows - repeats[receipt.place], 1)
        study.findings.append(f"column {receipt.header!r} names the receipt: {per:.1f} lines each")
    if line is None and receipt is not None:
        study.table["line_ids"] = "receipt"
        study.findings.append(
            f"no column names the line: its id is made of {receipt.header!r} and the line's place in the receipt"
        )
        study.questions.append(
            "Does a later export of the same day repeat each receipt with its lines in the same order? Their ids are made of that order"
        )
    if line is None and receipt is None:
        study.faults.append("no column names the line or the receipt of a sale; export the sales with receipt numbers")
    elif receipt is None:
        study.questions.append(
            "No column joins lines to a receipt: each line counts as an order of its own. Is there one?"
        )
    for meaning in ("transaction_id", "order_id"):
        if column := study.taken.get(meaning):
            _look_for_lost_ids(study, column)


def _repeated(study: Study, column: Column) -> list[str]:
    counted = compute.value_counts(study.whole(column)).to_pylist()
    return [entry["values"] for entry in counted if entry["counts"] > 1]


def _look_for_lost_ids(study: Study, column: Column) -> None:
    lost = [value for value in column.few if LOST_ID.fullmatch(value)]
    if lost:
        study.questions.append(
            f"Can the file be had as the source wrote it? Column {column.header!r} has ids that a spreadsheet destroyed ({named(lost)}): "
            "those rows go into quarantine"
        )
    elif column.few and sum(bool(FLOAT_ID.fullmatch(value)) for value in column.few) > 0.9 * len(column.few):
        study.questions.append(
            f"Ids like {column.few[0]!r} in {column.header!r} went through a spreadsheet or a program. Will later files have "
            "them with .0, too?"
        )


def find_customer(study: Study) -> None:
    """Who bought: the share of nobody, and values that may stand for nobody."""
    rows = study.sheet.table.num_rows
    column = study.take(
        "customer_id", study.best("customer_id", lambda column: bool(column.few) and column.moments is None)
    )
    if column is None:
        study.findings.append("no column names the customer: all sales are anonymous")
        return
    counted = compute.value_counts(study.whole(column)).to_pylist()
    counts = {entry["values"]: entry["counts"] for entry in counted}
    nobody = sorted(value for value in counts if value and is_nobody(value))
    if nobody:
        study.table["nobody"] = nobody
        study.findings.append(f"column {column.header!r} says {named(nobody)} for nobody")
    anonymous = sum(counts.get(value, 0) for value in ("", *nobody)) / max(rows, 1)
    study.findings.append(
        f"column {column.header!r} names the customer; {percent(anonymous)} of the rows are anonymous"
    )
    known = Counter({value: count for value, count in column.counts.items() if value not in nobody})
    often = [*known.most_common(2), ("", 0), ("", 0)]
    if len(known) > 10 and often[0][1] > max(0.1 * known.total(), 3 * often[1][1]):
        study.questions.append(
            f"Is {often[0][0]!r} in {column.header!r} ({percent(often[0][1] / len(column.values))} of the rows) a customer, or nobody? As "
            f"it is, it counts as one customer; nobody = [{often[0][0]!r}] says otherwise"
        )
    if plain(column.header) == "email":
        study.questions.append(
            f"Are the addresses in {column.header!r} the customer ids of reference/customers.csv? Ids without names are better"
        )
