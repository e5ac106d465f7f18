"""The vocabulary of the drawings: elements, scales, axes. Text is escaped here, and only here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

WIDTH = 960.0
"""Of every drawing, in its own units; the page scales it."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values to coordinates.

    Attributes:
        low: Value at `start`.
        high: Value at `end`; another one than `low`.
        start: Coordinate.
        end: Coordinate; smaller than `start` for an axis that goes up.
        logarithmic: Equal factors are equally far apart; `low` must be positive then.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value; values beyond the ends stay at them."""
        low, high = self._place(self.low), self._place(self.high)
        part = (self._place(max(value, self.low)) - low) / (high - low)
        return self.start + min(1.0, part) * (self.end - self.start)

    def _place(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


@dataclass(frozen=True, slots=True)
class Frame:
    """The rectangle that curves are drawn into; the axes stand outside of it."""

    left: float
    top: float
    right: float
    bottom: float


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round values from `low` to `high`: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def size_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return values in bytes that are round in the unit in which sizes up to `high` are written."""
    unit = next((unit for unit in (2**30, 2**20, 2**10) if high >= unit), 1)
    return [value * unit for value in ticks(low / unit, high / unit, count)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return the powers of ten from `low` to `high`, with 2 and 5 times them where there are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(powers) <= 4 else (1,)
    values = (factor * 10.0**power for power in powers for factor in factors)
    return [value for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]


def element(name: str, *children: str, **attributes: object) -> str:
    """Write an element; `class_` and `aria_label` become `class` and `aria-label`, None leaves an attribute out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def text(content: str, x: float, y: float, **attributes: object) -> str:
    """Write text; whatever it is, it stays text."""
    return element("text", escape(content), x=x, y=y, **attributes)


def title(content: str) -> str:
    """Write what a pointer resting on the parent element shows."""
    return element("title", escape(content))


def path(points: Iterable[tuple[float, float] | None]) -> str:
    """Return the `d` of a line through points; None interrupts it."""
    commands: list[str] = []
    pen = "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        commands.append(f"{pen}{number(point[0])} {number(point[1])}")
        pen = "L"
    return "".join(commands)


def number(value: float) -> str:
    """Write a coordinate to a hundredth, without needless zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"


def drawing(height: float, label: str, parts: Iterable[str], class_: str = "plot") -> Markup:
    """Put parts together; `label` is what a screen reader says instead of them."""
    # All of it is escaped already: attributes by `element`, text by `text`.
    view = f"0 0 {number(WIDTH)} {number(height)}"
    return Markup(element("svg", *parts, class_=class_, viewBox=view, role="img", aria_label=label))  # noqa: S704


def bottom_axis(frame: Frame, scale: Scale, values: Sequence[float], show: Callable[[float], str]) -> Iterable[str]:
    """Draw ticks with labels below the frame, and its lower edge."""
    yield _line(frame.left, frame.bottom, frame.right, frame.bottom, "axis")
    for value in values:
        x = scale(value)
        yield _line(x, frame.bottom, x, frame.bottom + 5, "axis")
        yield text(show(value), x, frame.bottom + 18, class_="tick", text_anchor="middle")


def left_axis(frame: Frame, scale: Scale, values: Sequence[float], show: Callable[[float], str]) -> Iterable[str]:
    """Draw labels left of the frame, and a faint line across it for each."""
    for value in values:
        y = scale(value)
        yield _line(frame.left, y, frame.right, y, "grid")
        yield text(show(value), frame.left - 6, y + 4, class_="tick", text_anchor="end")


def legend(names: Iterable[str], left: float) -> Iterable[str]:
    """Name the lines of the classes s0, s1... in the upper margin."""
    for position, name in enumerate(names):
        yield element("path", d=path([(left, 14), (left + 26, 14)]), class_=f"line s{position % 4}")
        yield text(name, left + 32, 18, class_="tick")
        left += 32 + len(name) * 7.0 + 22


def rule(x: float, frame: Frame, class_: str) -> str:
    """Draw a vertical line through the frame."""
    return _line(x, frame.top, x, frame.bottom, class_)


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def _attribute(value: object) -> str:
    return number(value) if isinstance(value, float) else escape(str(value))
