"""Every failure as JSON, `{"detail": ...}`, without the values that were sent."""

from __future__ import annotations

import json
import logging
import traceback

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse

from perfcli.errors import ModelError, PayloadError
from perfcli.units import format_count

MAX_PROBLEMS = 20
"""Problems that one answer names; of the others it says how many there are."""

_logger = logging.getLogger("perfcli.api")


def add_error_answers(app: FastAPI) -> None:
    """Answer bad input with 422 that names the field, and what we did wrong with 500."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(PayloadError, _unfit)
    app.add_exception_handler(ModelError, _failed)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # FastAPI would repeat the input: health data, and NaN or half a surrogate pair in it would make this a 500.
    errors = error.errors()
    problems = [
        {"loc": list(found["loc"]), "msg": found["msg"], "type": found["type"]} for found in errors[:MAX_PROBLEMS]
    ]
    if len(errors) > MAX_PROBLEMS:
        # An answer many times as long as the question would keep the event loop from everybody else's.
        message = f"And {format_count(len(errors) - MAX_PROBLEMS, 'more problem')}."
        problems.append({"loc": ["body"], "msg": message, "type": "too_many_problems"})
    return _AsciiResponse({"detail": problems}, 422)


async def _unfit(_request: Request, error: Exception) -> JSONResponse:
    return _AsciiResponse({"detail": str(error)}, 422)


async def _failed(_request: Request, error: Exception) -> JSONResponse:
    # Where it failed but not with what words: the text of a model's error often quotes the input.
    frames = traceback.format_tb((error.__cause__ or error).__traceback__)
    _logger.error("%s\n%s", error, "".join(frames))
    return _AsciiResponse({"detail": str(error)}, 500)


class _AsciiResponse(JSONResponse):
    """JSON that can carry any text a client may have sent as the name of a field."""

    def render(self, content: object) -> bytes:
        """Write the answer; what ASCII lacks is escaped."""
        return json.dumps(content, separators=(",", ":")).encode("ascii")
