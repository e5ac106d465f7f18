"""`GET /logs` beside an endpoint: where an API that carries the monitor keeps the records of its predictions."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin

import httpcore
import httpx
import orjson

CLIENT_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpx.RequestError,
    httpx.StreamError,
)
# Beside the endpoint, or at the root of the server when the endpoint has a prefix of its own.
_PATHS = ("logs", "/logs")
_REFUSALS = (401, 403)


class ServerLog:
    """The log of an API, which need not have one, nor show it to us.

    Attributes:
        refused: The last question was answered with 401 or 403.
    """

    def __init__(self, client: httpx.Client, endpoint: httpx.URL, token: str | None, timeout_s: float) -> None:
        self.refused = False
        self._client = client
        self._endpoint = str(endpoint)
        self._token = token
        self._timeout_s = timeout_s
        self._url: str | None = None
        self._headers: dict[bytes, bytes] = {}

    def find(self) -> bool:
        """Look where there is a log that we may read."""
        for path in _PATHS:
            self._url = urljoin(self._endpoint, path)
            if self.page(1, 0) is not None:
                return True
            if self.refused:
                break
        return False

    def page(self, limit: int, offset: int) -> Mapping[str, object] | None:
        """Return one page of the log that was found; None when it fails."""
        assert self._url is not None, "find() comes first"
        try:
            response = self._get(self._url, limit, offset)
            # A server that does not ask for the token does not see it.
            if response.status_code in _REFUSALS and self._token is not None and not self._headers:
                self._headers = {b"Authorization": f"Bearer {self._token}".encode()}
                response = self._get(self._url, limit, offset)
            self.refused = response.status_code in _REFUSALS
            page = orjson.loads(response.content) if response.is_success else None
        except (*CLIENT_ERRORS, orjson.JSONDecodeError):
            return None
        return page if isinstance(page, dict) else None

    def _get(self, url: str, limit: int, offset: int) -> httpx.Response:
        parameters = {"limit": limit, "offset": offset}
        return self._client.get(url, params=parameters, headers=self._headers, timeout=self._timeout_s)
