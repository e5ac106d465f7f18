"""The errors a person can act on, and the exit codes they end in.

The tree, with the exit code of each branch::

    PerfcliError
    ├── UsageError              2   the command line or the configuration is wrong
    │   ├── PayloadError            a payload cannot be read, or does not fit the model
    │   ├── SettingsError           an environment variable, .env or [tool.perfcli] is wrong
    │   ├── MissingExtraError       an optional package is not installed
    │   └── UntrustedModelError     loading the file would execute code
    ├── MeasurementError        3   nothing could be measured
    │   ├── ModelError              the model does not load, or raises
    │   ├── TargetUnreachableError  nobody answers at the URL
    │   └── TargetAnswerError       the answer is an error, or is not what was asked for
    └── DeliveryError           5   measured, but a sink or a report could not be written
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process ends with; the meaning of each code is fixed."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNMEASURABLE = 3
    INCONCLUSIVE = 4
    UNDELIVERED = 5
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived: what Ctrl-C does, with an exit code of its own."""


class PerfcliError(Exception):
    """Something the user can act on.

    Attributes:
        message: One line that says what failed, on which input.
        hint: One line that says what to type next; empty when there is nothing to say.
    """

    exit_code = ExitCode.BUG

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class UsageError(PerfcliError):
    """The command line or the configuration is wrong."""

    exit_code = ExitCode.USAGE


class PayloadError(UsageError):
    """A payload cannot be read, or does not fit the model."""


class SettingsError(UsageError):
    """An environment variable, a line of .env or a key of [tool.perfcli] is wrong."""


class UntrustedModelError(UsageError):
    """Loading the model file would execute code that nobody vouched for."""


class MissingExtraError(UsageError):
    """A feature needs packages of an extra that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed.",
            f"Install them with: pip install 'perfcli[{extra}]'",
        )


class MeasurementError(PerfcliError):
    """Nothing could be measured."""

    exit_code = ExitCode.UNMEASURABLE


class ModelError(MeasurementError):
    """The model does not load, or raises on the payload."""


class TargetUnreachableError(MeasurementError):
    """Nobody answers at the URL: name, connection, TLS or time-out."""


class TargetAnswerError(MeasurementError):
    """The target answered with an error, or with something that is no answer."""


class DeliveryError(PerfcliError):
    """Measured, but a sink or a report could not be written."""

    exit_code = ExitCode.UNDELIVERED
