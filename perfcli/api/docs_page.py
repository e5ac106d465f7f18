"""GET /docs: the OpenAPI document as one page that needs nothing from elsewhere, for servers without the internet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import cast

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

Document = Mapping[str, object]

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
  pre, textarea {{ font: 13px/1.4 ui-monospace, monospace; overflow: auto; max-height: 20rem }}
  textarea {{ width: 100%; height: 12rem }}
  td {{ padding-right: 1rem; vertical-align: top }}
</style></head>
<body><h1>{title} {version}</h1><p>{description} The same for programs: <a href="openapi.json">openapi.json</a>.</p>
{operations}
<script>
  for (const form of document.forms) form.onsubmit = async (event) => {{
    event.preventDefault();
    const headers = {{ "Content-Type": "application/json" }};
    const answer = await fetch(form.action, {{ method: "POST", headers, body: form.body.value }});
    form.querySelector("pre").textContent = answer.status + "\\n" + (await answer.text());
  }};
</script></body></html>
"""


def docs_router(openapi: Callable[[], dict[str, object]]) -> APIRouter:
    """Make the route; the document is asked for when somebody looks at it."""
    router = APIRouter()

    @router.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(docs_page(openapi()))

    return router


def docs_page(document: Document) -> str:
    """Write an OpenAPI document as HTML; a JSON body can be edited there, and sent."""
    info = _part(document, "info")
    operations = (
        _operation(path, method, cast(Document, operation))
        for path, methods in _part(document, "paths").items()
        for method, operation in cast(Document, methods).items()
    )
    return _PAGE.format(
        title=escape(str(info["title"])),
        version=escape(str(info["version"])),
        description=escape(str(info.get("description", ""))),
        operations="\n".join(operations),
    )


def _operation(path: str, method: str, operation: Document) -> str:
    parts = [
        f"<h2>{escape(method.upper())} {escape(path)}</h2>",
        f"<p>{escape(str(operation.get('description', '')))}</p>",
    ]
    if operation.get("security"):
        parts.append("<p>Needs <code>Authorization: Bearer TOKEN</code> once the server has an API_TOKEN.</p>")
    parts += _table("Parameters", _parameters(operation))
    if "requestBody" in operation:
        parts += _form(path, _part(operation, "requestBody", "content", "application/json"))
    responses = _part(operation, "responses").items()
    parts += _table("Answers", [(code, str(cast(Document, answer)["description"])) for code, answer in responses])
    return "\n".join(parts)


def _parameters(operation: Document) -> list[tuple[str, str]]:
    parameters = cast(list[Document], operation.get("parameters", []))
    return [(str(parameter["name"]), str(parameter.get("description", ""))) for parameter in parameters]


def _table(title: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    if rows:
        yield f"<h3>{title}</h3><table>"
        for name, text in rows:
            yield f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>"
        yield "</table>"


def _form(path: str, content: Document) -> Iterator[str]:
    examples = [cast(Document, example)["value"] for example in _part(content, "examples").values()]
    body = json.dumps(examples[0], indent=2) if examples else ""
    yield f'<form action="{escape(path.removeprefix("/"))}"><textarea name="body">{escape(body)}</textarea>'
    yield "<button>Send</button><pre></pre></form>"


def _part(document: Document, *keys: str) -> Document:
    for key in keys:
        document = cast(Document, document.get(key, {}))
    return document
