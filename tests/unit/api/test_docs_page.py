"""The documentation of the API: complete, and whole without the internet."""

from __future__ import annotations

import html
import json
import re

from perfcli.api.app import create_app
from perfcli.api.docs_page import docs_page
from perfcli.settings import Settings


def test_every_operation_its_parameters_and_a_real_body_are_on_the_page() -> None:
    document = create_app(Settings()).openapi()
    page = docs_page(document)
    operations = [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]
    assert re.findall(r"<h2>(.*)</h2>", page) == operations
    assert "<code>request_id</code></td><td>`X-Request-ID` of one request.</td>" in page
    bodies = re.findall(r'<form action="(.*?)"><textarea name="body">(.*?)</textarea>', page, re.DOTALL)
    assert [action for action, _ in bodies] == ["predict", "predict_proba"]
    examples = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert json.loads(html.unescape(bodies[0][1])) == examples["malignant"]["value"]


def test_the_page_loads_nothing() -> None:
    page = docs_page(create_app(Settings()).openapi())
    assert re.findall(r'(?:src|href)="(.*?)"', page) == ["openapi.json"]
    assert "://" not in page


def test_what_a_model_is_called_is_text_and_no_markup() -> None:
    page = docs_page({"info": {"title": "<b>", "version": "1"}, "paths": {"/<i>": {"get": {"responses": {}}}}})
    assert "<h1>&lt;b&gt; 1</h1>" in page
    assert "<h2>GET /&lt;i&gt;</h2>" in page
