"""What a service is configured with: the environment over `.env`, validated once, errors by the variable's name."""

from __future__ import annotations

import difflib
import io
import logging
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from dotenv.parser import parse_stream
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from perfcli.errors import SettingsError, UsageError
from perfcli.secrets import MASK, mask_url
from perfcli.units import parse_ratio, parse_size

_logger = logging.getLogger("perfcli.settings")

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
LoggingHandler = Literal["stdout", "redis", "elasticsearch"]

# A name this close to one of ours is a misspelling of it, and so is one with two letters swapped (API_TOKNE is 0.89
# from API_TOKEN). Not so one with another letter: APP_HOST and REDIS_URI are other people's.
_MISSPELLED = 0.93


# Beyond are slips of the pen, which Redis and C refuse in words of their own: 2147483647 things, and a pebibyte.
_MOST = 2**31 - 1
_MOST_BYTES = 2**50


def load_settings(
    overrides: Mapping[str, object] | None = None, env_file: Path | None = None, *, is_guest: bool = False
) -> Settings:
    """Read the settings of this process.

    Args:
        overrides: Fields that win over the environment, such as options of a command; None means "not given".
        env_file: File read under the environment; `.env` in the working directory by default. It need not exist.
        is_guest: It is the process of somebody else, whose variables may look like ours misspelled: that is said, and
            no error.

    Raises:
        SettingsError: A variable has a value it cannot have, or the name of one is misspelled, or a line of the file
            is none.
    """
    env_file = env_file or Path(".env")
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    for misspelled in _misspelled_names(env_file):
        if not is_guest:
            raise misspelled
        _logger.warning("%s %s", misspelled.message, misspelled.hint)
    try:
        return Settings(_env_file=env_file, **given)  # type: ignore[call-arg, arg-type]  # checked by pydantic
    except ValidationError as error:
        raise _explain(error.errors()[0]) from None


def load_token(env_file: Path | None = None) -> str | None:
    """Read API_TOKEN alone, for whoever asks a service for its logs and metrics; None when it is not set.

    Raises:
        SettingsError: The file is no text, or the token cannot be one.
    """
    env_file = env_file or Path(".env")
    try:
        token = _Token(_env_file=env_file).api_token  # type: ignore[call-arg]  # pydantic-settings takes it
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(env_file, error) from error
    except ValidationError as error:
        raise _explain(error.errors()[0]) from None
    return None if token is None else token.get_secret_value()


def _by(parse: Callable[[str], float]) -> BeforeValidator:
    """Read text with units; a number given in code is taken as it is."""

    def read(value: object) -> object:
        try:
            return parse(value) if isinstance(value, str) else value
        except UsageError as error:
            # pydantic reports ValueError under the name of the field.
            raise ValueError(f"{error.message} {error.hint}") from None
        except OverflowError:
            raise ValueError("it is too large") from None

    return BeforeValidator(read)


def _split_list(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(dict.fromkeys(part for part in (item.strip() for item in value.split(",")) if part))


def _state_dir() -> Path | None:
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "perfcli"
    except RuntimeError:  # A container's user may be a mere number.
        return None


def _clean_token(value: object) -> object:
    """Take off what surrounds a token in a mounted secret; refuse what no header can carry."""
    if not isinstance(value, str):
        return value
    token = value.strip()
    if not token or not token.isprintable():
        raise ValueError("it is blank" if not token else "it holds characters that cannot be printed")
    return token


_Ratio = Annotated[float, _by(parse_ratio)]
_SizeBytes = Annotated[int, _by(parse_size)]
_Upper = BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)
_List = BeforeValidator(_split_list)


class _Token(BaseSettings):
    """What a client of a service reads of the settings: whatever else stands there is none of its business."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_ignore_empty=True, env_file_encoding="utf-8", protected_namespaces=()
    )

    api_token: Annotated[SecretStr | None, BeforeValidator(_clean_token)] = None

    @model_validator(mode="before")
    @classmethod
    def _tidy(cls, values: dict[str, object]) -> dict[str, object]:
        """Take off white space, as the line ends of Windows leave it; pass over what Kubernetes sets on its own."""
        stripped = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
        # Beside a service that is called redis every container has REDIS_PORT=tcp://10.0.0.5:6379.
        return {
            name: value
            for name, value in stripped.items()
            if not (name.endswith("_port") and isinstance(value, str) and value.startswith("tcp://"))
        }


class Settings(_Token):
    """Everything a service can be told from outside; a variable is the name of its field in capitals.

    Attributes:
        enable_performance_monitoring: Measure predictions; off, the monitor is a shared no-op.
        performance_sample_rate: Share of predictions that are profiled deeply; the others have the light metrics.
        performance_overhead_budget: Part of the serving time that measuring may cost; None: no limit.
        log_level: Lowest level that is delivered.
        logging_handler: Sinks of the log.
        redis_url: Address with user and password; None: made of host, port and database.
        redis_host: Host of Redis.
        redis_port: Port of Redis.
        redis_db: Number of the database.
        redis_logs_key: Key of the list, newest record first.
        redis_logs_max_size: Records the list is trimmed to.
        elasticsearch_url: Address, with user and password where the server asks for them.
        elasticsearch_index: Prefix of the daily indices.
        log_payloads: Write the inputs of predictions into the log.
        log_redact: Names of fields whose values are masked in logged inputs.
        log_queue_size: Records that wait in memory for the sinks; more are dropped and counted.
        log_spool_dir: Folder in which records wait while a store is down; None: there is no home for one.
        log_spool_max_bytes: Bytes the spool may hold per store.
        model_path: Import path or file of the model that is served; None: the embedded one.
        model_trust: Load a model file although its format can execute code.
        api_host: Address the API listens on.
        api_port: Port the API listens on.
        api_token: Token that `/logs`, `/performance` and `/metrics` ask for; None: they are open.
        api_workers: Server processes.
        api_max_body_bytes: Longest request body.
        api_max_batch_rows: Most rows in one request.
        api_max_in_flight: Predictions running and waiting at once in one process; more are answered with 503.
    """

    enable_performance_monitoring: bool = False
    performance_sample_rate: _Ratio = Field(1.0, ge=0, le=1)
    performance_overhead_budget: _Ratio | None = Field(None, ge=0, le=1)

    log_level: Annotated[LogLevel, _Upper] = "INFO"
    logging_handler: Annotated[tuple[LoggingHandler, ...], NoDecode, _List] = Field(("stdout",), min_length=1)
    redis_url: str | None = Field(None, repr=False)
    redis_host: str = "localhost"
    redis_port: int = Field(6379, ge=1, le=65535)
    redis_db: int = Field(0, ge=0, le=_MOST)
    redis_logs_key: str = "api_logs"
    redis_logs_max_size: int = Field(1000, ge=1, le=_MOST)
    elasticsearch_url: str = Field("http://localhost:9200", repr=False)
    elasticsearch_index: str = Field("perfcli", pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    log_payloads: bool = False
    log_redact: Annotated[tuple[str, ...], NoDecode, _List] = ()
    log_queue_size: int = Field(10_000, ge=1, le=_MOST)
    log_spool_dir: Path | None = Field(default_factory=_state_dir)
    log_spool_max_bytes: _SizeBytes = Field(64 * 2**20, ge=0, le=_MOST_BYTES)

    model_path: str | None = None
    model_trust: bool = False

    api_host: str = "127.0.0.1"
    api_port: int = Field(8000, ge=0, le=65535)
    api_workers: int = Field(1, ge=1, le=_MOST)
    api_max_body_bytes: _SizeBytes = Field(2**20, ge=1, le=_MOST_BYTES)
    api_max_batch_rows: int = Field(1000, ge=1, le=_MOST)
    api_max_in_flight: int = Field(64, ge=1, le=_MOST)


def _misspelled_names(env_file: Path) -> Iterator[SettingsError]:
    """Yield what to say of a variable that nobody would read; other people's variables are none of our business."""
    known = {name.upper() for name in Settings.model_fields}
    in_file = _names_in(env_file, known)
    in_environment = {name.upper() for name in os.environ}
    unset = known - in_file - in_environment
    for place, names in ((str(env_file), in_file), ("The environment", in_environment)):
        for name in sorted(names - known):
            if meant := difflib.get_close_matches(name, unset, n=1, cutoff=_MISSPELLED) or sorted(
                unset.intersection(_with_letters_swapped(name))
            ):
                yield SettingsError(f"{place} sets {name}, which nothing reads.", f"Did you mean {meant[0]}?")


def _names_in(env_file: Path, known: Collection[str]) -> set[str]:
    """Return the names that the file sets; refuse lines that would be passed over in silence, without quoting them."""
    names = set()
    try:
        lines = list(parse_stream(io.StringIO(env_file.read_text("utf-8")))) if env_file.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(env_file, error) from error
    for line in lines:
        name = (line.key or "").upper()
        if line.error or (name in known and line.value is None):
            text = line.original.string
            number = line.original.line + text[: len(text) - len(text.lstrip())].count("\n")
            raise SettingsError(f"Line {number} of {env_file} sets nothing.", "Write it like API_PORT=8000.")
        names.add(name)
    return names - {""}


def _with_letters_swapped(name: str) -> Iterator[str]:
    for at in range(len(name) - 1):
        yield name[:at] + name[at + 1] + name[at] + name[at + 2 :]


def _unreadable(env_file: Path, error: OSError | UnicodeDecodeError) -> SettingsError:
    return SettingsError(f"Cannot read {env_file}: {error}.", "Save it as a UTF-8 text file.")


def _explain(error: ErrorDetails) -> SettingsError:
    """Turn what pydantic found into one line with the variable and its value, and the nearest right value."""
    variable = str(error["loc"][0]).upper()
    value = _masked(variable, error["input"])
    if error["type"].startswith("bool"):
        allowed = ["true", "false"]
    else:
        allowed = re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))
    if not allowed:
        reason = error["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ").rstrip(".")
        return SettingsError(f"{variable}={value} is not valid: {reason}.", f"Change or remove {variable}.")
    nearest = difflib.get_close_matches(str(error["input"]).casefold(), [*allowed, *map(str.lower, allowed)], n=1)
    hint = f"Did you mean {variable}={_as_allowed(nearest[0], allowed)}?" if nearest else f"Change {variable}."
    return SettingsError(f"{variable}={value} is not one of {', '.join(allowed)}.", hint)


def _as_allowed(text: str, allowed: list[str]) -> str:
    return next(name for name in allowed if name.casefold() == text)


def _masked(variable: str, value: object) -> str:
    text = str(value).strip()
    return MASK if variable == "API_TOKEN" or mask_url(text) != text else text
