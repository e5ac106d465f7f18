"""Request identity: what is accepted from a client, and what is made anew."""

from __future__ import annotations

import os
import re

import pytest

from perfcli.api.exchange import Exchange, current_exchange, stage
from perfcli.monitor import PerformanceMonitor

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def open_exchange(headers: list[tuple[bytes, bytes]]) -> Exchange:
    """Begin and end an exchange."""
    with Exchange(PerformanceMonitor(lambda measurement: None), headers, None) as exchange:
        return exchange


@pytest.mark.parametrize("sent", ["a", "f" * 128, "2f9e-4.b:c_d=@e/f+g"])
def test_a_sane_request_id_is_kept(sent: str) -> None:
    assert open_exchange([(b"x-request-id", sent.encode())]).transaction_id == sent


@pytest.mark.parametrize("sent", [b"", b"f" * 129, b"a b", b'a"b', b"a\nb", b"{}", "é".encode(), b"\xff"])
def test_any_other_request_id_is_replaced(sent: bytes) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}-[0-9]+", open_exchange([(b"x-request-id", sent)]).transaction_id)


def test_every_request_without_an_id_gets_its_own() -> None:
    assert open_exchange([]).transaction_id != open_exchange([]).transaction_id


def test_a_forked_child_gives_other_ids_than_its_parent() -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, open_exchange([]).transaction_id.encode())
        os._exit(0)
    os.waitpid(child, 0)
    of_child, of_parent = os.read(read, 100).decode(), open_exchange([]).transaction_id
    os.close(read)
    os.close(write)
    assert of_child.partition("-")[0] != of_parent.partition("-")[0]


@pytest.mark.parametrize("sent", [f"00-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-00", f"cc-{TRACE}-{SPAN}-00-later"])
def test_a_valid_traceparent_gives_the_trace_id(sent: str) -> None:
    assert open_exchange([(b"traceparent", sent.encode())]).trace_id == TRACE


@pytest.mark.parametrize(
    "sent",
    [
        "",
        TRACE,
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-extra",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
    ],
)
def test_an_invalid_traceparent_gives_none(sent: str) -> None:
    assert open_exchange([(b"traceparent", sent.encode())]).trace_id is None


def test_stages_of_one_name_add_up_in_the_order_they_first_ran() -> None:
    with Exchange(PerformanceMonitor(lambda measurement: None), [], None) as exchange:
        for name in ("features", "model", "features"):
            with stage(name):
                pass
    assert list(exchange.stages_ns) == ["features", "model"]


def test_a_stage_outside_a_request_does_nothing() -> None:
    with stage("model"):
        assert current_exchange() is None
