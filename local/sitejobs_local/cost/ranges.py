"""A figure of which only the bounds are known."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """From the lower to the higher estimate."""

    low: float
    high: float

    def __add__(self, more: "float | Range") -> "Range":
        if isinstance(more, Range):
            return Range(self.low + more.low, self.high + more.high)
        return Range(self.low + more, self.high + more)

    def __mul__(self, factor: float) -> "Range":
        return Range(self.low * factor, self.high * factor)
