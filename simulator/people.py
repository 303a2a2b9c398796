"""Customers' names, addresses and marketing choices, and how people pay."""

import unicodedata

import numpy as np
import pandas as pd

from simulator.identifiers import customer_ids
from simulator.parameters import BusinessUnit, IntArray
from simulator.streams import RandomStream, random_stream

MARKETING_OPT_OUT_SHARE = 0.08

FIRST_NAMES = {
    "USA": "James Mary Robert Patricia Michael Jennifer David Linda Emily Daniel Ashley Joshua Olivia Ethan Sophia "
    "Noah Ava Mason Chloe Tyler Aaliyah Marcus Grace Jordan",
    "Canada": "Liam Emma Olivier Charlotte William Amélie Noah Juliette Jack Zoë Lucas Maya Benjamin Chloé Owen Léa "
    "Samuel Hannah Félix Claire Logan Priya Étienne Sarah",
    "Mexico": "José María Juan Guadalupe Luis Sofía Carlos Valentina Miguel Ximena Alejandro Camila Diego Regina "
    "Fernando Daniela Ángel Mariana Javier Lucía Emiliano Renata Raúl Paola",
}
LAST_NAMES = {
    "USA": "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Wilson Anderson Taylor Thomas "
    "Moore Jackson Lee Thompson White Harris Clark Lewis Walker Nguyen",
    "Canada": "Tremblay Smith Gagnon Roy Brown Côté Martin Bouchard Wilson Gauthier MacDonald Singh Morin Campbell "
    "Lavoie Fortin Stewart Gagné Chen Ouellet Pelletier Anderson Wong Bélanger",
    "Mexico": "Hernández García Martínez López González Pérez Rodríguez Sánchez Ramírez Cruz Flores Gómez Morales "
    "Vázquez Reyes Jiménez Torres Díaz Gutiérrez Ruiz Mendoza Aguilar Ortiz Castillo",
}
CITIES = {
    "USA": ("New York", "Chicago", "Seattle", "Boston", "Denver", "Austin", "San Francisco", "Portland"),
    "Canada": ("Toronto", "Montreal", "Vancouver", "Calgary", "Ottawa", "Halifax", "Winnipeg", "Quebec City"),
    "Mexico": ("Mexico City", "Guadalajara", "Monterrey", "Puebla", "Mérida", "Querétaro", "Oaxaca", "Tijuana"),
}
PAYMENT_METHODS = ("Credit Card", "Debit Card", "Cash", "Mobile Wallet", "Gift Card")
PAYMENT_SHARES = {
    "USA": (0.42, 0.25, 0.10, 0.19, 0.04),
    "Canada": (0.38, 0.34, 0.07, 0.18, 0.03),
    "Mexico": (0.20, 0.27, 0.40, 0.11, 0.02),
}


def customer_directory(home: IntArray, units: tuple[BusinessUnit, ...], seed: int) -> pd.DataFrame:
    """One row per customer: customer_id, customer_name, email, location, marketing_opt_out (true|false).

    home: (customers,) code of the business unit in whose country the customer lives.
    """
    rng = random_stream(seed, RandomStream.PEOPLE)
    pick = rng.random((len(home), 3))
    opted_out = rng.random(len(home)) < MARKETING_OPT_OUT_SHARE
    first = _picked({country: names.split() for country, names in FIRST_NAMES.items()}, home, units, pick[:, 0])
    last = _picked({country: names.split() for country, names in LAST_NAMES.items()}, home, units, pick[:, 1])
    city = _picked({country: list(names) for country, names in CITIES.items()}, home, units, pick[:, 2])
    number = pd.Series(np.arange(1, len(home) + 1)).astype(str)
    country = pd.Series(np.array([unit.country for unit in units], dtype=object)[home])
    mailbox = _ascii_lower(first) + "." + _ascii_lower(last) + "." + number
    return pd.DataFrame(
        {
            "customer_id": customer_ids(len(home)),
            "customer_name": first + " " + last,
            "email": mailbox + "@example.com",
            "location": city + ", " + country,
            "marketing_opt_out": np.where(opted_out, "true", "false"),
        }
    )


def draw_payment_methods(unit: IntArray, units: tuple[BusinessUnit, ...], seed: int) -> IntArray:
    """How each order is paid, as codes of PAYMENT_METHODS; unit: (orders,) business unit codes."""
    chance = random_stream(seed, RandomStream.PAYMENT).random(len(unit))
    method = np.zeros(len(unit), dtype=np.int64)
    for code, business_unit in enumerate(units):
        here = unit == code
        bounds = np.cumsum(PAYMENT_SHARES[business_unit.country])[:-1]
        method[here] = np.searchsorted(bounds, chance[here], side="right")
    return method


def _picked(
    names: dict[str, list[str]], home: IntArray, units: tuple[BusinessUnit, ...], chance: np.ndarray
) -> pd.Series:
    """For each customer one of the names of the home country, chosen by a number in [0, 1)."""
    picked = np.empty(len(home), dtype=object)
    for code, unit in enumerate(units):
        here = home == code
        choices = np.array(names[unit.country], dtype=object)
        picked[here] = choices[(chance[here] * len(choices)).astype(np.int64)]
    return pd.Series(picked)


def _ascii_lower(names: pd.Series) -> pd.Series:
    """Names as they may stand in a mail address: é becomes e."""
    plain = {name: unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode() for name in names.unique()}
    return names.map(plain).str.lower()
