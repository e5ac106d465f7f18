"""The engine as a child process: started, listened to, stopped, and survived when it crashes."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO

from perfcli.errors import MissingExtraError
from perfcli.loadtest.messages import Message
from perfcli.loadtest.plan import Plan, plan_to_json
from perfcli.loadtest.wire import from_line

_EXIT_TIMEOUT_S = 10.0
_STDERR = 2
_LAST_LINES = 5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Engine:
    """A running engine."""

    def __init__(self, process: subprocess.Popen[bytes], lines: IO[bytes], stderr: IO[bytes]) -> None:
        self._process = process
        self._lines = lines
        self._stderr = stderr
        self._signals = 0

    def messages(self) -> Iterator[Message]:
        """Yield what the engine says until it has nothing more to say, or is dead."""
        for line in self._lines:
            try:
                yield from_line(line)
            except ValueError:
                return  # It died while it wrote; how it ended is for its last words.

    def stop(self) -> None:
        """Ask it to stop: the first time gracefully, the second at once; the third time does not ask."""
        self._signals += 1
        if self._signals > 2:
            self.kill()
        elif self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it and its workers."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def last_words(self) -> str:
        """Wait for its end, and return how it ended and the last lines it wrote to stderr."""
        code = self.wait()
        self._stderr.seek(0)
        said = self._stderr.read().decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
        how = f"ended with {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        return f"it {how}" + (f" and said: {' | '.join(line.strip() for line in said)}" if said else " in silence")

    def wait(self) -> int:
        """Return its exit code; one that does not end by itself is ended."""
        try:
            return self._process.wait(_EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()


@contextmanager
def running_engine(plan: Plan) -> Iterator[Engine]:
    """Start an engine; at the end of the block it is gone, with all its workers.

    Raises:
        MissingExtraError: Locust is not installed.
    """
    # Looked up, not imported: importing it would patch the standard library of this process.
    if importlib.util.find_spec("locust") is None:
        raise MissingExtraError("A load test", "load")
    with tempfile.TemporaryFile() as stderr:
        reading, writing = os.pipe()
        with open(reading, "rb") as lines:  # noqa: PTH123 - a descriptor, not a path
            try:
                process = _start(writing, stderr)
            finally:
                os.close(writing)
            engine = Engine(process, lines, stderr)
            try:
                _send_plan(process, plan)
                yield engine
            finally:
                if process.poll() is None:
                    process.terminate()
                engine.wait()


def _start(writing: int, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    # The child inherits the mask, and lifts it when it can stop in good order: a signal to an interpreter that is
    # still importing would be a traceback.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        return _popen(writing, stderr)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _popen(writing: int, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "perfcli.loadtest.engine", str(writing)],
        stdin=subprocess.PIPE,
        # What a scenario prints belongs beside the results, which are on stdout, not into them.
        stdout=_STDERR,
        stderr=stderr,
        pass_fds=[writing],
        # Ctrl-C reaches the whole group in the foreground: here it must come once, through us.
        start_new_session=True,
    )


def _send_plan(process: subprocess.Popen[bytes], plan: Plan) -> None:
    assert process.stdin is not None
    try:
        with process.stdin as stdin:
            stdin.write(plan_to_json(plan).encode())
    except BrokenPipeError:
        return  # Dead already; its last words say why.


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM call `stop` inside the block, instead of breaking into whatever is running.

    The handlers before are called too, and what they raise is dropped: they may note which signal it was.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def forward(number: int, frame: FrameType | None) -> None:
        stop()
        noted = before[signal.Signals(number)]
        if callable(noted):
            try:
                noted(number, frame)
            except KeyboardInterrupt:
                return

    for number in _SIGNALS:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, forward)
    try:
        yield
    finally:
        for number in _SIGNALS:
            signal.signal(number, before[number] or signal.SIG_DFL)
