"""What checked payloads cost: 100 000 rows of 30 columns, against the plain readers of the standard library."""

from __future__ import annotations

import csv
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from perfcli.payloads import payload_digest, read_payloads

ROWS = 100_000
COLUMNS = [f"column_{number}" for number in range(30)]


def main() -> None:
    """Print seconds and ratios of both line formats, and of the digest."""
    with tempfile.TemporaryDirectory() as folder:
        lines, table = Path(folder, "rows.jsonl"), Path(folder, "rows.csv")
        _write(lines, table)
        _print_ratio("JSON Lines", lambda: read_payloads(str(lines)), lambda: _plain_lines(lines))
        _print_ratio("CSV", lambda: read_payloads(str(table)), lambda: _plain_table(table))
        payloads = read_payloads(str(lines))
        print(f"digest: {_seconds(lambda: payload_digest(payloads)):.2f} s")


def _print_ratio(name: str, ours: Callable[[], object], plain: Callable[[], object]) -> None:
    # In turn and the best of two: what else the machine does hits both.
    pairs = [(_seconds(ours), _seconds(plain)) for _ in range(2)]
    best, best_plain = (min(seconds) for seconds in zip(*pairs, strict=True))
    print(f"{name}: {best:.2f} s, x{best / best_plain:.2f} of the standard library ({best_plain:.2f} s)")


def _write(lines: Path, table: Path) -> None:
    chance = random.Random(0)
    rows = [{column: chance.uniform(0, 100) for column in COLUMNS} for _ in range(ROWS)]
    lines.write_text("\n".join(map(json.dumps, rows)))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _plain_lines(file: Path) -> object:
    return [json.loads(line) for line in file.read_text().split("\n")]


def _plain_table(file: Path) -> object:
    with file.open(newline="") as stream:
        return [{column: float(cell) for column, cell in row.items()} for row in csv.DictReader(stream)]


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
