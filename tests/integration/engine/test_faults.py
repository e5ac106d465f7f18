"""Each way an exchange can go wrong lands in its own class, and none of them stops the engine."""

import signal
import socket
import sys
import threading

import pytest
import trustme

BAD_ANSWERS = {
    "/garbage": "protocol",
    "/bad-chunk": "protocol",
    "/bad-gzip": "protocol",
    "/gzip-and-more": "protocol",
    "/two-lengths": "protocol",
    "/endless-head": "protocol",
    "/huge?bytes=200000": "protocol",
    "/close-mid-answer": "reset",
    "/close-without-answer": "reset",
    "/reset": "reset",
    "/silent": "read_timeout",
    "/slow-drip?s=0.05": "read_timeout",
    "/status?code=302": "check_failed",
    "/status?code=304": "check_failed",
    "/status?code=404": "http_4xx",
    "/status?code=422": "http_4xx",
    "/status?code=500": "http_5xx",
    "/status?code=503": "http_5xx",
    "/nan": "check_failed",
    "/short": "check_failed",
    "/improbable": "check_failed",
    "/status?code=204": "check_failed",
}
TIMES = dict.fromkeys((path for path, kind in BAD_ANSWERS.items() if kind == "read_timeout"), 1)
"""Each of these takes a whole time-out."""
GOOD_ANSWERS = (
    "/fast", "/proba", "/chunked", "/compressed", "/deflated", "/until-close", "/interim", "/announce-close",
    "/close-after-answer", "/literal", "/two-members",
)  # fmt: skip


@pytest.fixture
def each_path(scenario) -> str:
    """A scenario whose one user asks every path of the server three times, a silent one once, and ends."""
    return scenario(
        """
from locust import task
from locust.exception import StopUser
from perfcli.loadtest.engine.users import InferenceUser

class EachPath(InferenceUser):
    @task
    def all(self):
        for path in PATHS:
            for _ in range(TIMES.get(path, 3)):
                self.post(self.payload(), path)
        raise StopUser
""".replace("PATHS", repr((*BAD_ANSWERS, *GOOD_ANSWERS))).replace("TIMES", repr(TIMES))
    )


def test_each_bad_answer_is_classed_and_each_good_one_is_understood(server, engine, each_path) -> None:
    run = engine(server.plan(scenario=each_path, users=1, timeout_s=1.5, max_answer_bytes=100_000, duration_s=60.0))
    seen = {
        endpoint.name: (endpoint.succeeded.count, {failures.kind: failures.count for failures in endpoint.failures})
        for endpoint in _totals(run).values()
    }
    assert seen == {path: (0, {kind: TIMES.get(path, 3)}) for path, kind in BAD_ANSWERS.items()} | {
        path: (3, {}) for path in GOOD_ANSWERS
    }
    assert run.end.reason == "scenario"


def test_a_request_that_met_a_closed_connection_is_sent_again_and_counted_once(server, engine) -> None:
    run = engine(server.plan("/close-after-answer", requests=10, users=1))
    assert (run.succeeded, run.failed, server.started("/close-after-answer")) == (10, 0, 10)
    assert sum(second.resent for second in run.seconds) == 9
    assert server.read("count")["connections"] == 10


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what the server has taken")
def test_a_connection_that_is_closed_on_the_request_is_a_failure_though_it_was_kept(server, engine, scenario) -> None:
    plan = server.plan(
        scenario=scenario(
            """
from locust import task
from locust.exception import StopUser
from perfcli.loadtest.engine.users import InferenceUser

class Alternately(InferenceUser):
    @task
    def all(self):
        for _ in range(3):
            self.post(self.payload())
            self.post(self.payload(), "/close-without-answer")
        raise StopUser
"""
        ),
        users=1,
        duration_s=60.0,
    )
    run = engine(plan)
    assert (run.succeeded, run.failures, server.started("/close-without-answer")) == (3, {"reset": 3}, 3)
    assert sum(second.resent for second in run.seconds) == 0


def test_a_kept_connection_is_used_again(server, engine) -> None:
    engine(server.plan(requests=50, users=1))
    assert server.read("count")["connections"] == 1


def test_a_refused_connection(engine, server) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        run = engine(server.plan(base_url=f"http://127.0.0.1:{nobody.getsockname()[1]}", requests=3))
    assert run.failures == {"refused": 3}
    assert run.example == "Connection refused"


def test_a_name_that_does_not_exist(engine, server) -> None:
    run = engine(server.plan(base_url="http://perfcli.invalid:80", requests=3))
    assert run.failures == {"dns": 3}
    assert run.example.startswith("cannot resolve perfcli.invalid")


def test_a_connection_that_nobody_accepts_times_out(engine, server) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        # Linux completes one more than the backlog; from then on it ignores the SYN.
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        run = engine(server.plan(base_url=f"http://127.0.0.1:{address[1]}", requests=2, users=1, timeout_s=0.4))
        for filler in fillers:
            filler.close()
    assert run.failures == {"connect_timeout": 2}


def test_plain_text_where_tls_is_expected(engine, server) -> None:
    def answer_in_plain_text() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_in_plain_text)
        thread.start()
        run = engine(server.plan(base_url=f"https://127.0.0.1:{listener.getsockname()[1]}", requests=2))
        thread.join(10)
    assert run.failures == {"tls": 2}


def test_tls_is_verified_unless_told_otherwise(engine, serve, tmp_path) -> None:
    authority = trustme.CA()
    certificate, trusted = tmp_path / "server.pem", tmp_path / "ca.pem"
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    authority.cert_pem.write_to_path(trusted)
    tls = serve("--certificate", str(certificate))
    plan = tls.plan(base_url=f"https://localhost:{tls.port}", requests=20)
    untrusted = engine(plan)
    assert untrusted.failures == {"tls": 20}
    assert "certificate" in untrusted.example
    assert engine(plan, SSL_CERT_FILE=str(trusted)).succeeded == 20
    insecure = tls.plan(base_url=f"https://127.0.0.1:{tls.port}", requests=20, insecure=True)
    assert engine(insecure).succeeded == 20


def test_a_server_on_ipv6(engine, serve) -> None:
    server = serve("--host", "::1")
    run = engine(server.plan(base_url=f"http://[::1]:{server.port}", requests=5))
    assert run.succeeded == 5


def test_a_body_larger_than_the_socket_buffers_arrives_whole(engine, server, tmp_path) -> None:
    payloads = tmp_path / "large.jsonl"
    payloads.write_text("[" + ",".join(['{"mean_radius": 17.99}'] * 400_000) + "]\n")
    run = engine(server.plan(payload_file=str(payloads), requests=4, users=2, timeout_s=30.0))
    assert run.succeeded == 4, run.failures


def test_a_server_that_dies_in_the_middle_of_the_run_does_not_take_the_engine_with_it(engine, server) -> None:
    seen: set[str] = set()

    def kill(message, child) -> None:
        if type(message).__name__ != "Second" or "refused" in seen:
            return
        if message.index == 0:
            server.process.kill()
        seen.update(failures.kind for endpoint in message.endpoints for failures in endpoint.failures)
        if "refused" in seen:
            child.send_signal(signal.SIGINT)

    run = engine(server.plan(duration_s=30.0), kill)
    assert run.exit_code == 0
    assert set(run.failures) <= {"refused", "reset"}
    assert run.failures["refused"] > 0


def _totals(run):
    from perfcli.loadtest.engine.merge import merge_seconds

    return {endpoint.name: endpoint for endpoint in merge_seconds(run.seconds).endpoints}
