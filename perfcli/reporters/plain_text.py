"""Text for streams whose encoding has no block characters and no lines: everything is drawn once, and translated."""

from __future__ import annotations

_BLOCKS = dict(zip("▁▂▃▄▅▆▇█", ".:-=+*%#", strict=True))
_LINES = {"─": "-", "│": "|", "├": "|", "└": "`", "…": "~", "±": "+-"}
_ASCII = str.maketrans({**_BLOCKS, **_LINES})


def encodable(text: str, encoding: str | None) -> str:
    """Return the text as the encoding can write it; what it lacks and we do not draw ourselves becomes `?`."""
    name = (encoding or "utf-8").lower()
    if name.startswith("utf"):
        return text
    return text.translate(_ASCII).encode(name, "replace").decode(name)
