"""List prices as data: prices.json says of which day and region they are, and where each comes from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("prices.json")
_MANY = {"thousand": 1e3, "million": 1e6}


@dataclass(frozen=True)
class Price:
    """Dollars for `unit`, such as "million requests"."""

    what: str
    unit: str
    dollars: float
    source: str

    def of(self, amount: float) -> float:
        """Dollars for so many single ones."""
        return amount / _MANY.get(self.unit.split()[0], 1.0) * self.dollars


@dataclass(frozen=True)
class Prices:
    """All prices by name, without free tiers and discounts."""

    date: str
    region: str
    by_name: Mapping[str, Price]

    def __getitem__(self, name: str) -> Price:
        return self.by_name[name]


@cache
def prices() -> Prices:
    """The prices of prices.json."""
    read = json.loads(_FILE.read_text(encoding="utf-8"))
    return Prices(read["date"], read["region"], {name: Price(**price) for name, price in read["prices"].items()})
