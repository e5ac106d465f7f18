"""What the targets cost: a stage wrapper a call, and a remote call against a bare httpx loop."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Callable
from multiprocessing.connection import Connection
from statistics import median
from time import perf_counter_ns

import httpx

from perfcli.targets.remote import open_remote
from perfcli.targets.stages import StageStopwatch

ROUNDS = 3000
BODY = b'{"age":1.5,"income":2.5}'
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"predictions":[1]}'


def main() -> None:
    """Print both figures."""
    print_wrapper_cost()
    print_remote_ratio()


def print_wrapper_cost() -> None:
    """Time an empty function with and without a wrapper, in turn."""
    stopwatch = StageStopwatch()

    def function(matrix: object) -> object:
        return matrix

    wrapped = stopwatch.wrap("stage", function)
    bare_ns, timed_ns = [], []
    for _ in range(300):
        bare_ns.append(_spent_ns(lambda: [function(1) for _ in range(100)]) / 100)
        timed_ns.append(_spent_ns(lambda: [wrapped(1) for _ in range(100)]) / 100)
        stopwatch.take()
    print(f"stage wrapper: {median(timed_ns) - median(bare_ns):.0f} ns a call (target about 1000)")


def print_remote_ratio() -> None:
    """Call the same server through the target and through a plain httpx client, in turn."""
    parent, child = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(child,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{parent.recv()}/predict"
    target = open_remote(url, headers=(), timeout_s=5, insecure=False, http_method="POST")
    call = target.prepare({"age": 1.5, "income": 2.5})
    with httpx.Client() as client:
        prebuilt = client.build_request("POST", url, content=BODY)
        calls = {
            "target": call,
            "client.post": lambda: client.post(url, content=BODY),
            "client.send of a prebuilt request": lambda: client.send(prebuilt),
        }
        for _ in range(100):
            for each in calls.values():
                each()
        spent_ns = [[_spent_ns(each) for each in calls.values()] for _ in range(ROUNDS)]
    target.close()
    server.kill()
    ours, *others = (median(column) for column in zip(*spent_ns, strict=True))
    for name, theirs in zip(list(calls)[1:], others, strict=True):
        print(f"remote call: {ours / 1e3:.0f} us, bare {name}: {theirs / 1e3:.0f} us, ratio {ours / theirs:.3f}")


def _spent_ns(call: Callable[[], object]) -> int:
    started = perf_counter_ns()
    call()
    return perf_counter_ns() - started


def _serve(ready: Connection) -> None:
    """Answer every request at once, each connection in its turn of a poll loop."""
    import selectors

    listener = socket.create_server(("127.0.0.1", 0))
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    ready.send(listener.getsockname()[1])
    while True:
        for key, _ in selector.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connection, selectors.EVENT_READ, bytearray())
                continue
            received = key.fileobj.recv(65536)
            if not received:
                selector.unregister(key.fileobj)
                key.fileobj.close()
                continue
            key.data.extend(received)
            if key.data.endswith(BODY):
                key.data.clear()
                key.fileobj.sendall(ANSWER)


if __name__ == "__main__":
    main()
