"""What is true of the customers, and what they truly want in given circumstances."""

import json
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from simulator.arguments import Continuation, SimulationArguments
from simulator.choice import Contexts, context_utility, softmax
from simulator.days import DateArray, is_holiday, season_of
from simulator.identifiers import customer_ids, product_ids
from simulator.parameters import DAYPARTS, WEATHERS, ChainParameters, FloatArray, IntArray

PARAMETERS_FILE = "parameters.json"
CUSTOMERS_FILE = "customers.parquet"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class Truth:
    """The customers as they really are, after their last order.

    segment, home, order_count: (customers,) codes of segment and home business unit, number of orders.
    joined: (customers,) first day on which an order was possible, datetime64[D].
    taste, habit: (customers, products) latent taste, and habit after the last order (zeros without orders).
    arguments: those of the first simulation; its span is the one over which the trend ran.
    continuations: how the chain went on after that span, oldest first.
    """

    parameters: ChainParameters
    arguments: SimulationArguments
    segment: IntArray
    home: IntArray
    joined: DateArray
    order_count: IntArray
    taste: FloatArray
    habit: FloatArray
    continuations: tuple[Continuation, ...] = ()

    @property
    def last_day(self) -> date:
        """The last simulated day."""
        return self.continuations[-1].end if self.continuations else self.arguments.end

    @property
    def order_total(self) -> int:
        """All orders so far."""
        return int(self.order_count.sum())

    def true_preferences(self, customer_id: str, business_unit: str, date: date, weather: str) -> dict[str, float]:
        """P(main product) by product id if the customer came in on `date` (local), after all simulated orders.

        The habit is the one after the customer's last order, whatever `date` is. The hour is unknown: probabilities
        are averaged over the dayparts as the customer's segment uses them. Holidays of the unit count. The trend
        stands still outside the simulated span.

        Raises `ValueError` for a customer, business unit or weather that does not exist.
        """
        customer = _known("customer", customer_id, self._customer_rows)
        unit = _known("business unit", business_unit, self._unit_rows)
        condition = _known("weather", weather, {name: code for code, name in enumerate(WEATHERS)})
        utility = context_utility(self.parameters, self._contexts(unit, date, condition))
        own = self.taste[customer] + self.parameters.habit_strength * self.habit[customer]
        by_daypart = softmax(utility + own)
        probability = self.parameters.segment_daypart[self.segment[customer]] @ by_daypart
        return dict(zip(product_ids(len(probability)), probability.tolist(), strict=True))

    def save(self, folder: Path) -> None:
        """Write parameters.json and customers.parquet into an existing folder."""
        document = {
            "format": FORMAT,
            "arguments": to_jsonable_python(self.arguments),
            "continuations": to_jsonable_python(self.continuations),
            "parameters": self.parameters.as_json(),
        }
        (folder / PARAMETERS_FILE).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        units, products = list(self._unit_rows), product_ids(len(self.parameters.products))
        columns: dict[str, Any] = {
            "customer_id": list(self._customer_rows),
            "segment": np.array(self.parameters.segments)[self.segment],
            "home_business_unit": np.array(units)[self.home],
            "joined": self.joined,
            "order_count": self.order_count,
        }
        for name, matrix in (("taste", self.taste), ("habit", self.habit)):
            columns |= {f"{name}_{product}": matrix[:, column] for column, product in enumerate(products)}
        pq.write_table(pa.table(columns), folder / CUSTOMERS_FILE)

    @classmethod
    def load(cls, folder: Path) -> "Truth":
        """Read what `save` wrote, without simulating anything.

        Raises `FileNotFoundError` if `folder` holds no truth, `ValueError` if it was written in another format.
        """
        document = _read_document(Path(folder))
        parameters = ChainParameters.from_json(document["parameters"])
        table = pq.read_table(Path(folder) / CUSTOMERS_FILE)
        products = product_ids(len(parameters.products))
        units = [unit.business_unit_id for unit in parameters.business_units]
        return cls(
            parameters=parameters,
            arguments=TypeAdapter(SimulationArguments).validate_python(document["arguments"]),
            segment=_codes(table["segment"].to_pylist(), parameters.segments),
            home=_codes(table["home_business_unit"].to_pylist(), units),
            joined=table["joined"].to_numpy().astype("datetime64[D]"),
            order_count=table["order_count"].to_numpy(),
            taste=np.column_stack([table[f"taste_{product}"].to_numpy() for product in products]),
            habit=np.column_stack([table[f"habit_{product}"].to_numpy() for product in products]),
            continuations=TypeAdapter(tuple[Continuation, ...]).validate_python(document.get("continuations", [])),
        )

    def _contexts(self, unit: int, day: date, weather: int) -> Contexts:
        """One context per daypart."""
        days = np.array([day], dtype="datetime64[D]")
        span = (self.arguments.end - self.arguments.start).days + 1
        passed = min(max((day - self.arguments.start).days, 0), span - 1)
        every = np.ones(len(DAYPARTS), dtype=np.int64)
        holiday = is_holiday(self.parameters.business_units, days)[unit, 0]
        return Contexts(
            unit=unit * every,
            season=season_of(days)[0] * every,
            weather=weather * every,
            daypart=np.arange(len(DAYPARTS)),
            is_holiday=np.full(len(DAYPARTS), holiday),
            trend=np.full(len(DAYPARTS), passed / span),
        )

    @cached_property
    def _customer_rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(customer_ids(len(self.segment)))}

    @cached_property
    def _unit_rows(self) -> dict[str, int]:
        return {unit.business_unit_id: row for row, unit in enumerate(self.parameters.business_units)}


def _known(kind: str, name: str, rows: dict[str, int]) -> int:
    if name not in rows:
        examples = ", ".join(list(rows)[:4]) + (", …" if len(rows) > 4 else "")
        raise ValueError(f"{kind} {name!r} is not part of this simulation; give one of {examples}")
    return rows[name]


def _codes(names: list[str], known: Any) -> IntArray:
    code = {name: row for row, name in enumerate(known)}
    return np.array([code[name] for name in names], dtype=np.int64)


def _read_document(folder: Path) -> dict[str, Any]:
    file = folder / PARAMETERS_FILE
    if not file.is_file():
        raise FileNotFoundError(
            f"{file}: there is no simulation's truth here; simulate a dataset or give its truth folder"
        )
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if document.get("format") != FORMAT:
        raise ValueError(f"{file}: format {document.get('format')} is not format {FORMAT}; simulate the dataset again")
    return document
