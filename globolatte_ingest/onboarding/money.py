"""What a source's lines cost: quantity, amount or price of a piece, discount, currency, and the marks of numbers."""

import re
import statistics
from collections import Counter

import numpy as np

from globolatte_ingest.onboarding.sheet import Column
from globolatte_ingest.onboarding.study import Study, named, percent
from globolatte_ingest.onboarding.words import COUNTRY_CURRENCY, CURRENCY_SIGNS, likeness

MARK_WORDS = {".": "point", ",": "comma", " ": "space", "'": "apostrophe"}
CENT = 0.011
"""How far an amount may be from what the other columns give, for a cent that was rounded."""


def find_money(study: Study) -> None:
    """Quantity, amount and discount of a line, told from names and from how the columns agree; marks and currency."""
    quantity = study.take(
        "quantity", study.best("quantity", lambda column: column.numbers is not None and column.filled > 0.9)
    )
    if quantity is None:
        study.faults.append("no column has quantities; export how many of each article were sold")
    elif quantity.numbers and not quantity.numbers.is_whole:
        study.table["decimal_quantity"] = True
        study.findings.append(f"column {quantity.header!r} has quantities with decimals: goods by weight")

    def is_money(column: Column) -> bool:
        return column.numbers is not None and column.filled > 0.9

    totals = [column for column in study.free() if is_money(column) and likeness(column.header, "total_price") > 0]
    units = [column for column in study.free() if is_money(column) and likeness(column.header, "unit_price") > 0]
    discount = study.best("discount", is_money)
    sums = study.amounts(quantity) if quantity else None
    _choose_amount(study, totals, units, discount, sums)
    _describe_money(study)


def _choose_amount(
    study: Study, totals: list[Column], units: list[Column], discount: Column | None, quantity: np.ndarray | None
) -> None:
    """The line's amount: a column that says it, else the price of a piece; amounts that the price contradicts are of something else."""
    unit = max(units, key=lambda column: likeness(column.header, "unit_price"), default=None)
    if not totals and unit is not None and quantity is not None and _is_of_the_line(study, unit, quantity):
        totals, unit = [unit], None
    made = [] if unit is None or quantity is None else _made_of(study, unit, quantity, discount)
    agreeing = [column for column in totals if any(_agree(study.amounts(column), value) > 0.5 for _, value in made)]
    total = max(agreeing if made else totals, key=lambda column: likeness(column.header, "total_price"), default=None)
    if total is not None:
        study.take("total_price", total)
        _explain_amount(study, total, totals, made, discount)
        _take_discount(study, discount)
    elif unit is not None:
        study.take("unit_price", unit)
        study.findings.append(f"total_price is {unit.header!r} × quantity")
        if totals:
            study.questions.append(
                f"What are {named(column.header for column in totals)}? They are not {unit.header!r} × quantity in most rows, so they are "
                "taken for amounts of whole receipts, and left out"
            )
        if discount is not None and np.any(study.amounts(discount) != 0):
            study.questions.append(
                f"Is {discount.header!r} taken off the line? total_price is made of {unit.header!r} × quantity, before it"
            )
    else:
        study.faults.append("no column has amounts; export what each line cost")


def _made_of(study: Study, unit: Column, quantity: np.ndarray, discount: Column | None) -> list[tuple[str, np.ndarray]]:
    """What the line's amount may be by its price, before and after the discount, each with its words."""
    gross, words = study.amounts(unit) * quantity, f"{unit.header!r} × quantity"
    if discount is None:
        return [(words, gross)]
    return [(words, gross), (f"{words} less {discount.header!r}", gross - np.abs(study.amounts(discount)))]


def _take_discount(study: Study, discount: Column | None) -> None:
    if discount is None:
        return
    if np.any(study.amounts(discount) < 0):
        study.left_out.add(discount.place)
        study.findings.append(f"column {discount.header!r} is left out: it writes discounts below zero")
    else:
        study.take("discount", discount)


def _explain_amount(
    study: Study, total: Column, totals: list[Column], made: list[tuple[str, np.ndarray]], discount: Column | None
) -> None:
    """Says how the amount agrees with the other columns of money, and asks where others differ from it."""
    found = study.amounts(total)
    agreements = [(_agree(found, value), words) for words, value in made]
    if agreements and max(agreements)[0] > 0.95:
        agree, words = next(pair for pair in agreements if pair[0] > 0.95)
        study.findings.append(f"column {total.header!r} is {words} in {percent(agree)} of the rows")
    others = [column for column in totals if column is not total and _agree(found, study.amounts(column)) < 1]
    off = np.abs(study.amounts(discount)) if discount is not None else np.zeros(len(found))
    before = [column for column in others if _agree(np.abs(found), np.abs(study.amounts(column)) - off) > 0.9]
    if discount is not None and before:
        study.findings.append(f"column {total.header!r} is {before[0].header!r} less {discount.header!r}")
    elif others:
        study.questions.append(
            f"Is {total.header!r} what was paid for the line? {named(column.header for column in others)} have other amounts (with tax, or "
            "before discounts)"
        )


def _agree(one: np.ndarray, other: np.ndarray) -> float:
    both = ~(np.isnan(one) | np.isnan(other))
    return float(np.mean(np.abs(one - other)[both] <= CENT)) if both.any() else 0.0


def _is_of_the_line(study: Study, price: Column, quantity: np.ndarray) -> bool:
    """Whether a column called `price` grows with the quantity of the same product, so that it is the line's and not the piece's."""
    product = study.taken.get("product_id")
    if product is None:
        return False
    amounts = study.amounts(price)
    single: dict[str, list[float]] = {}
    for name, amount, count in zip(product.values, amounts, quantity, strict=True):
        if count == 1 and amount == amount:
            single.setdefault(name, []).append(amount)
    usual = {name: statistics.median(values) for name, values in single.items()}
    votes = Counter(
        "line"
        if abs(amount - usual[name] * count) <= CENT
        else "piece"
        if abs(amount - usual[name]) <= CENT
        else "neither"
        for name, amount, count in zip(product.values, amounts, quantity, strict=True)
        if count > 1 and usual.get(name)
    )
    if not votes:
        study.questions.append(
            f"Is {price.header!r} the price of one piece or of the line? No row tells; of one piece is proposed"
        )
        return False
    return votes["line"] > votes["piece"]


def _describe_money(study: Study) -> None:
    money = [study.taken[meaning] for meaning in ("total_price", "unit_price", "discount") if meaning in study.taken]
    decimal, thousands = study.number_marks
    if decimal != ".":
        study.table["decimal_mark"] = MARK_WORDS[decimal]
    if thousands:
        study.table["thousands_mark"] = MARK_WORDS[thousands]
    if decimal != "." or thousands:
        example = max((value for column in money for value in column.few), key=len, default="")
        study.findings.append(
            f"amounts like {example!r}: decimal {MARK_WORDS[decimal]}"
            + (f", thousands {MARK_WORDS[thousands]}" if thousands else "")
        )
    signs = sorted({sign for column in money if column.numbers for sign in column.numbers.signs})
    if signs:
        study.table["currency_signs"] = signs
    counted = [*money, *(column for meaning, column in study.taken.items() if meaning == "quantity")]
    bracketed = [column for column in counted if column.numbers and column.numbers.has_brackets]
    if bracketed:
        study.table["negative_in_brackets"] = True
        example = next((value for column in bracketed for value in column.few if "(" in value), "(4.50)")
        study.findings.append(f"what is below zero stands in brackets, like {example!r}")
    _find_currency(study, signs)


def _find_currency(study: Study, signs: list[str]) -> None:
    column = study.best(
        "currency", lambda column: bool(column.few) and all(re.fullmatch("[A-Z]{3}", value) for value in column.few)
    )
    if column is not None and len(column.few) == 1 and column.filled == 1:
        study.left_out.add(column.place)
        study.table["currency"] = column.few[0]
        study.findings.append(f"all rows are in {column.few[0]} (column {column.header!r})")
    elif column is not None and column.filled == 1:
        study.take("currency", column)
        study.findings.append(f"column {column.header!r} has several currencies: {named(column.few)}")
    else:
        certain = {CURRENCY_SIGNS[sign] for sign in signs if CURRENCY_SIGNS[sign]}
        here = COUNTRY_CURRENCY.get(study.folder)
        if len(certain) == 1:
            study.table["currency"] = certain.pop()
        elif signs and here:
            study.table["currency"] = here
            study.questions.append(
                f"Is {named(signs)} the currency {here}? The sign alone does not say; it is proposed for {study.folder}"
            )
        elif signs:
            study.questions.append(f'Which currency is {named(signs)}? Declare it as currency = "…"')
