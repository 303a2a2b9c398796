"""Countries by any of their usual names: which landing folder means one, and its public holidays, by the `holidays` library."""

import unicodedata
from collections.abc import Collection, Sequence
from functools import cache

import pyarrow as pa

OTHER_NAMES = {"unitedstatesofamerica": "US", "greatbritain": "GB", "holland": "NL"}
"""Usual names that the library does not have."""

SCHEMA = pa.schema([("country", pa.string()), ("date", pa.date32()), ("name", pa.string())])


@cache
def _codes() -> dict[str, str]:
    """ISO code of each country, by each of its names and codes as `_plain` writes them."""
    from holidays.registry import COUNTRIES

    known = {_plain(name): names[1] for module, names in COUNTRIES.items() for name in (module, *names)}
    return OTHER_NAMES | known


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in letters if letter.isalnum())


def country_code(name: str) -> str | None:
    """The ISO code of a country by its English name or one of its codes, whatever case and blanks; none if it is unknown."""
    return _codes().get(_plain(name))


def folder_of_country(country: str, folders: Collection[str]) -> str:
    """The landing folder of a unit that names only its country: of `folders`, the one that is called so or means the same country.

    `usa`, `us` and `United States` are one country. If none or several mean it, the country in lower case without blanks.
    """
    usual = country.lower().replace(" ", "")
    if usual in folders or not folders:
        return usual
    code = country_code(country)
    same = [folder for folder in folders if code is not None and country_code(folder) == code]
    return same[0] if len(same) == 1 else usual


def public_holidays(countries: Sequence[str], years: range) -> tuple[pa.Table, list[str]]:
    """One row per country and public holiday: `country` as given, `date`, `name`; and the countries that the library does not know."""
    import holidays

    rows: list[dict[str, object]] = []
    unknown: list[str] = []
    for country in countries:
        code = country_code(country)
        if code is None:
            unknown.append(country)
            continue
        days = sorted(holidays.country_holidays(code, years=list(years)).items())
        rows += [{"country": country, "date": date, "name": name} for date, name in days]
    return pa.Table.from_pylist(rows, SCHEMA), unknown
