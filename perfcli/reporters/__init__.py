"""Show a result to a reader.

A reporter judges nothing: every verdict and figure is in the record; drawings only group and scale.

`REPORTERS` is the only list of formats; `-o` and the error texts derive from its keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from perfcli.reporters.protocol import Reporter, View


class _Reporters(Mapping[str, Reporter]):
    """Imports a reporter when it is asked for: who wants JSON need not wait for what draws pages."""

    _CLASSES: Mapping[str, str] = {
        ".json": "json:JsonReporter",
        ".txt": "table:TableReporter",
        ".md": "markdown:MarkdownReporter",
        ".xml": "junit:JunitReporter",
        ".html": "html:HtmlReporter",
        ".collapsed": "stacks:CollapsedReporter",
        ".folded": "stacks:CollapsedReporter",
    }

    def __getitem__(self, suffix: str) -> Reporter:
        module, _, name = self._CLASSES[suffix].partition(":")
        reporter: Reporter = getattr(import_module(f"perfcli.reporters.{module}"), name)()
        return reporter

    def __iter__(self) -> Iterator[str]:
        return iter(self._CLASSES)

    def __len__(self) -> int:
        return len(self._CLASSES)


REPORTERS: Mapping[str, Reporter] = _Reporters()
"""By suffix of the file; `.txt` is what a terminal shows."""

TREE_FORMATS = frozenset({".collapsed", ".folded"})
"""Suffixes of what is made of a call tree, and so of a profile alone."""

__all__ = ["REPORTERS", "TREE_FORMATS", "Reporter", "View"]
