"""One self-contained HTML page per result: it asks nobody for anything, and reads the same without JavaScript.

Drawings are made by pure functions from numbers to SVG; the templates hold the words.
"""

from __future__ import annotations

from typing import TextIO

from perfcli.records.codec import Result


class HtmlReporter:
    """Writes the page."""

    def write(self, result: Result, stream: TextIO) -> None:
        """Write the page."""
        from perfcli.reporters.html.page import render

        stream.write(render(result))
