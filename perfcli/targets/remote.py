"""A remote API, called through httpx over one kept-alive connection."""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from secrets import token_hex

import httpx
import orjson

from perfcli import __version__
from perfcli.errors import PayloadError, PerfcliError, UsageError
from perfcli.payloads import Payload
from perfcli.records import ServerView
from perfcli.secrets import mask_url
from perfcli.targets.phases import PhaseClock, TimedBackend
from perfcli.targets.protocol import StageClock, Target
from perfcli.targets.remote_errors import check_status, explain_failure, not_json
from perfcli.targets.request_headers import REQUEST_ID, RequestHeaders, parse_headers
from perfcli.targets.server_log import CLIENT_ERRORS, ServerLog
from perfcli.targets.server_metrics import MAX_WAIT_S, RecordSearch, summarize_records
from perfcli.targets.server_timing import server_timings
from perfcli.targets.transport import TimedTransport

# With a body, and the one that carries a row in its query.
_BODY_METHODS = ("POST", "PUT", "PATCH")
_QUERY_METHOD = "GET"
_MAX_ANSWERS_KEPT = 10_000
_SERVER_TIMING = b"server-timing"


def open_remote(
    url: str,
    *,
    headers: Sequence[str],
    timeout_s: float,
    insecure: bool,
    http_method: str,
    log_token: str | None = None,
) -> Target:
    """Get ready to call an API; nothing is sent yet.

    Args:
        url: Address of the prediction endpoint.
        headers: `Name: value` each; a value `env:NAME` is read from the environment.
        timeout_s: Longest wait for the connection, and for each part of the answer.
        insecure: Trust any TLS certificate.
        http_method: POST, PUT or PATCH with the payload as JSON body, or GET with one row as query.
        log_token: Shown to the API when it asks for one before it shows its log; only for one that may know it.

    Raises:
        UsageError: The URL, a header or the method cannot be used.
    """
    method = http_method.upper()
    if method not in (*_BODY_METHODS, _QUERY_METHOD):
        raise UsageError(
            f"Cannot predict with {http_method}.", f"Choose {', '.join(_BODY_METHODS)} or {_QUERY_METHOD}."
        )
    parsed = _parse_url(url)
    user_headers = parse_headers(headers)
    verification = _ssl_context(insecure) if parsed.scheme == "https" else None
    clock = PhaseClock()
    client = httpx.Client(
        transport=TimedTransport(TimedBackend(clock), verification),
        timeout=timeout_s,
        headers={"User-Agent": f"perfcli/{__version__}", **user_headers.values},
    )
    log = ServerLog(client, parsed, log_token, min(timeout_s, MAX_WAIT_S))
    return RemoteTarget(parsed, method, client, clock, user_headers, timeout_s, log)


class RemoteTarget:
    """An endpoint, and what it said of the requests that were sent to it.

    Attributes:
        kind: `remote`.
        name: The URL, secrets masked.
        method: The HTTP method.
        load_s: None; the model is loaded elsewhere.
    """

    kind = "remote"

    def __init__(
        self,
        url: httpx.URL,
        method: str,
        client: httpx.Client,
        clock: PhaseClock,
        headers: RequestHeaders,
        timeout_s: float,
        log: ServerLog,
    ) -> None:
        self.name = mask_url(str(url))
        self.method = method
        self.load_s: float | None = None
        self._url = url
        self._client = client
        self._clock = clock
        self._headers = headers
        self._timeout_s = timeout_s
        self._log = log
        self._request_prefix = f"perfcli-{token_hex(4)}"
        self._requests = 0
        self._timings: deque[tuple[str, ...]] = deque(maxlen=_MAX_ANSWERS_KEPT)

    def prepare(self, payload: Payload) -> Callable[[], object]:
        """Build the request once, and return the call that sends it and reads the answer as JSON.

        Raises:
            PayloadError: A GET request cannot carry it.
        """
        request = self._build_request(payload)
        client, url = self._client, self._url

        def call() -> object:
            self._requests += 1
            request.headers[REQUEST_ID] = f"{self._request_prefix}-{self._requests}"
            try:
                response = client.send(request)
            except CLIENT_ERRORS as error:
                raise self._hide_secrets(explain_failure(error, url, self._timeout_s)) from error
            return self._read(response)

        return call

    @contextmanager
    def staged(self) -> Iterator[StageClock]:
        """Time the phases of the exchanges made inside the block; those of a connection only if it is opened there."""
        self._clock.take()
        self._clock.is_running = True
        try:
            yield self._clock
        finally:
            self._clock.is_running = False

    def server_view(self) -> ServerView | None:
        """Return the server's timings and logged metrics of the requests so far; None when it says nothing.

        A log that is missing, closed to us or broken is no error: nothing that was measured depends on it.
        """
        timings = server_timings(self._timings)
        first = max(1, self._requests - _MAX_ANSWERS_KEPT + 1)
        asked = frozenset(f"{self._request_prefix}-{number}" for number in range(first, self._requests + 1))
        search = RecordSearch(self._log.page, time.monotonic, time.sleep)
        records = search.find(asked) if asked and self._log.find() else []
        if not timings and not records and not self._log.refused:
            return None
        return replace(summarize_records(records), timings=timings, log_refused=self._log.refused)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _build_request(self, payload: Payload) -> httpx.Request:
        if self.method in _BODY_METHODS:
            headers = {"Content-Type": "application/json", **self._headers.values}
            return self._client.build_request(self.method, self._url, content=orjson.dumps(payload), headers=headers)
        if not isinstance(payload, dict) or any(isinstance(value, list | dict) for value in payload.values()):
            raise PayloadError("A GET request carries one flat row in its query.", "Use --http-method POST.")
        url = self._url.copy_merge_params({name: str(value) for name, value in payload.items()})
        return self._client.build_request(self.method, url)

    def _read(self, response: httpx.Response) -> object:
        timings = [value.decode("latin-1") for name, value in response.headers.raw if name.lower() == _SERVER_TIMING]
        if timings:
            self._timings.append(tuple(timings))
        try:
            check_status(response, self._url)
        except PerfcliError as error:
            raise self._hide_secrets(error) from None
        try:
            return orjson.loads(response.content)
        except orjson.JSONDecodeError:
            raise self._hide_secrets(not_json(response, self._url)) from None

    def _hide_secrets(self, error: PerfcliError) -> PerfcliError:
        return type(error)(self._headers.hide_secrets(error.message), self._headers.hide_secrets(error.hint))


def _parse_url(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise UsageError(
            f"'{mask_url(url)}' is not a URL: {error}.", "Write it like http://host:8000/predict."
        ) from None
    if parsed.scheme not in ("http", "https") or not parsed.host or (parsed.port or 0) > 65535:
        raise UsageError(f"'{mask_url(url)}' is not an HTTP URL.", "Write it like http://host:8000/predict.")
    return parsed


def _ssl_context(insecure: bool) -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context(verify=not insecure)
    except OSError as error:
        # Of a path we did not choose, only these variables can be the source.
        variables = "SSL_CERT_FILE or SSL_CERT_DIR"
        raise UsageError(
            f"The certificates that {variables} names cannot be read: {error.strerror}.", "Correct or unset it."
        ) from error
