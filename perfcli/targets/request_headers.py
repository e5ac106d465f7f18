"""Read `--header 'Name: value'`, and keep what is secret in headers out of everything shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from perfcli.errors import UsageError
from perfcli.secrets import MASK, is_secret_name

REQUEST_ID = "X-Request-ID"

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_FROM_ENVIRONMENT = "env:"
_HINT = "Write it like 'X-Team: fraud', or 'Authorization: env:TOKEN' to read it from the environment."


@dataclass(frozen=True, slots=True, repr=False)
class RequestHeaders:
    """Headers of the user's own.

    Attributes:
        values: Value by name, as sent.
        secrets: Values that must not be shown.
    """

    values: Mapping[str, str]
    secrets: tuple[str, ...]

    def hide_secrets(self, text: str) -> str:
        """Mask the secret values where somebody, such as the server, repeats them."""
        for secret in self.secrets:
            text = text.replace(secret, MASK)
        return text


def parse_headers(texts: Sequence[str]) -> RequestHeaders:
    """Read the headers; a value `env:NAME` is that of the environment variable.

    Raises:
        UsageError: No header, or the variable is not set. A value is never part of the message.
    """
    values: dict[str, str] = {}
    secrets: list[str] = []
    for text in texts:
        name, colon, value = text.partition(":")
        name, value = name.strip(), value.strip()
        if not colon:
            raise UsageError("A header lacks the colon between its name and its value.", _HINT)
        if not _NAME.fullmatch(name):
            raise UsageError(f"'{name}' is no name of a header.", _HINT)
        if name.lower() == REQUEST_ID.lower():
            raise UsageError(f"perfcli sets {REQUEST_ID} itself, a new one for every request.", "Leave it out.")
        is_secret = is_secret_name(name) or value.startswith(_FROM_ENVIRONMENT)
        if value.startswith(_FROM_ENVIRONMENT):
            value = _from_environment(value.removeprefix(_FROM_ENVIRONMENT), name)
        if not _VALUE.fullmatch(value):
            raise UsageError(f"The value of the header '{name}' holds a character that no header can carry.", _HINT)
        values[name] = value
        if is_secret and value:
            # A server that repeats a credential may leave out its scheme: `Bearer abc` is also `abc`.
            secrets += [value, value.rpartition(" ")[2]]
    return RequestHeaders(values, tuple(secrets))


def _from_environment(variable: str, name: str) -> str:
    value = os.environ.get(variable)
    if value is None:
        raise UsageError(
            f"The header '{name}' is to come from {variable}, which is not set.", f"Set it: export {variable}=..."
        )
    return value.strip()
