"""The user of an inference API, for scenarios: payloads and a fast connection given, answers checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import gevent
from gevent import GreenletExit
from locust import User
from locust.env import Environment
from locust.exception import StopUser

from perfcli.loadtest.engine.bodies import Body
from perfcli.loadtest.engine.faults import FaultError, Kind, kind_of_status
from perfcli.loadtest.engine.transport import Answer
from perfcli.loadtest.engine.workload import workload_of

__all__ = ["Answer", "Body", "Check", "InferenceUser"]


UNREACHED = frozenset({Kind.DNS, Kind.REFUSED, Kind.RESET, Kind.TLS})
"""Failures that take next to no time: who tried again at once would only be busy."""
RETRY_S = 0.1

Check = Callable[[Answer], str | None]
"""Says what is wrong with an answer; None when nothing is."""


class InferenceUser(User):
    """One client of an inference API with one connection of its own.

    A task calls `post(payload())`, `post(batch_of(32))` or `get("/health")`. What is sent, and where to, comes from the
    command line of `perfcli load`; under plain `locust -f` it is the bundled patients, sent to `/predict`.

    In the closed loop a user who got no connection, or lost it, waits for a tenth of a second before the task goes on.
    """

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._workload = workload_of(environment)
        self._connection = self._workload.connection()
        self._pool = self._workload.pool

    def payload(self) -> Body:
        """Return the next payload, or batch of them if the command line asks for batches."""
        return self._workload.body(self._workload.plan.batch_size)

    def batch_of(self, size: int) -> Body:
        """Return the next payloads, joined into a list."""
        return self._workload.body(size)

    def post(
        self,
        body: Body | bytes,
        path: str | None = None,
        *,
        name: str | None = None,
        expect: int | None = None,
        check: Check | None = None,
    ) -> Answer | None:
        """Send a payload and check the answer.

        Args:
            body: From `payload` or `batch_of`; or any bytes, whose answer's content is then not checked.
            path: Where to; None for the path of the command line.
            name: Endpoint in the result; None for the path.
            expect: The one status that is right; None for any 2xx, and then the content is checked too.
            check: Says what is wrong with an answer that passed all other checks; None when nothing is.

        Returns:
            The answer; None when there is none. Failures are recorded, not raised.

        Raises:
            StopUser: The run is over.
        """
        plan = self._workload.plan
        return self._send(plan.method, path or plan.path, body, name, expect, check)

    def get(self, path: str, *, name: str | None = None, expect: int | None = None) -> Answer | None:
        """Send a GET request; only its status is checked."""
        return self._send("GET", path, b"", name, expect, None)

    def on_stop(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _send(
        self,
        method: str,
        path: str,
        body: Body | bytes,
        name: str | None,
        expect: int | None,
        check: Check | None,
    ) -> Answer | None:
        workload = self._workload
        if not workload.may_start():
            raise StopUser
        if isinstance(body, bytes):
            body = Body(body, None, is_payload=False)
        request = workload.request(method, path, body)
        key = (method, name or path)
        recorder = workload.recorder
        if name is not None:
            recorder.named(path)
        due_ns = None if self._pool is None else self._pool.claim()
        recorder.sent(due_ns, time.perf_counter_ns())
        # Read again: counting takes microseconds, and none of them is the server's.
        sent_ns = time.perf_counter_ns()
        recorder.depart(sent_ns)
        intended_ns = sent_ns if due_ns is None else due_ns
        answer: Answer | None = None
        fault: FaultError | None = None
        try:
            answer = self._connection.exchange(request, sent_ns, bodiless=method == "HEAD")
        except FaultError as error:
            fault = error
        except GreenletExit:
            self._record_unfinished(key, intended_ns, sent_ns)
            raise
        if answer is None:
            ended_ns = time.perf_counter_ns()
        else:
            ended_ns = answer.ended_ns
            fault = self._verdict(answer, body, expect)
            if check is not None and fault is None:
                problem = check(answer)
                fault = FaultError(Kind.CHECK_FAILED, problem) if problem else None
            if fault is None:
                recorder.sample(answer.headers)
        if fault is None:
            recorder.succeeded(key, intended_ns, sent_ns, ended_ns)
        else:
            recorder.failed(key, intended_ns, sent_ns, ended_ns, fault.kind, str(fault))
        if workload.observed:
            self._fire(key, sent_ns, ended_ns, answer, fault)
        if fault is not None and fault.kind in UNREACHED and self._pool is None:
            gevent.sleep(RETRY_S)
        return answer

    def _verdict(self, answer: Answer, body: Body, expect: int | None) -> FaultError | None:
        checks = self._workload.checks
        if expect is not None:
            if answer.status == expect:
                return None
            kind = kind_of_status(answer.status) or Kind.CHECK_FAILED
            return FaultError(kind, f"status {answer.status} instead of {expect}")
        if answer.status != 200 and checks.status:
            kind_or_none = kind_of_status(answer.status)
            if kind_or_none is not None:
                return FaultError(kind_or_none, f"status {answer.status}: {answer.body[:200].decode(errors='replace')}")
        if body.is_payload and checks.content:
            problem = checks.problem(answer.body, body.rows)
            if problem is not None:
                return FaultError(Kind.CHECK_FAILED, problem)
        return None

    def _record_unfinished(self, key: tuple[str, str], intended_ns: int, sent_ns: int) -> None:
        now_ns = time.perf_counter_ns()
        example = f"no answer {(now_ns - sent_ns) / 1e9:.3g} s after it was sent, when the run ended"
        self._workload.recorder.failed(key, intended_ns, sent_ns, now_ns, Kind.INCOMPLETE, example)

    def _fire(
        self, key: tuple[str, str], sent_ns: int, ended_ns: int, answer: Answer | None, fault: FaultError | None
    ) -> None:
        elapsed_s = (ended_ns - sent_ns) / 1e9
        context: Mapping[str, object] = self.context()
        self.environment.events.request.fire(
            request_type=key[0],
            name=key[1],
            response_time=elapsed_s * 1e3,
            response_length=0 if answer is None else len(answer.body),
            response=answer,
            context=context,
            exception=fault,
            start_time=time.time() - elapsed_s,
            url=self._workload.plan.base_url + key[1],
            recorded=True,
        )
