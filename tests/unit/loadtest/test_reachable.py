"""A dead port is said before anything is sent."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from perfcli.errors import TargetUnreachableError
from perfcli.loadtest.run import check_reachable


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port nobody listens on; it is held, so that nobody else gets it meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("127.0.0.1", "Start the API with `perfcli serve`, or leave --host out to load the embedded one."),
        # Leads here too, which its spelling does not say: it stands for any other machine.
        ("0.0.0.0", "Check host and port."),
    ],
)
def test_a_dead_port_is_refused_in_the_words_of_a_profile_and_only_one_here_is_to_be_served(
    dead_port: int, host: str, hint: str
) -> None:
    with pytest.raises(TargetUnreachableError) as caught:
        check_reachable(f"http://{host}:{dead_port}")
    assert caught.value.message == f"Cannot reach http://{host}:{dead_port}: connection refused."
    assert caught.value.hint == hint
