"""The one thread of a process that feeds the sinks, and the queue in front of it."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from perfcli.logs.batch import BATCH_RECORDS
from perfcli.logs.counters import DeliveryCounters
from perfcli.logs.entry import Encoder, LogEntry, Record
from perfcli.logs.lane import Lane
from perfcli.units import to_milliseconds

_logger = logging.getLogger("perfcli.logs")

# The writer sleeps this long after the first entry, unless a batch is there earlier: it wakes up four times a second
# and not once a request, and takes the interpreter lock from the requests as rarely. What it needs has left the caches
# when it wakes: at 20 times a second a record took twice the CPU time.
GATHER_S = 0.25
_NOTICE_EVERY_S = 60.0
_JOIN_MARGIN_S = 1.0


class Writer:
    """Belongs to one process; a forked child makes another."""

    def __init__(
        self, encoder: Encoder, lanes: Sequence[Lane], level: int, capacity: int, clock: Callable[[], float]
    ) -> None:
        self._encoder = encoder
        self._lanes = lanes
        self._level = level
        self._capacity = capacity
        self._clock = clock
        # Its `put` is one step in C, so that even a signal handler may log.
        self._queue: queue.SimpleQueue[LogEntry | None] = queue.SimpleQueue()
        # Reentrant for the same reason.
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        # Not empty when there is something to do at once: a whole batch, or the end. A queue for the same reason.
        self._hurry: queue.SimpleQueue[None] = queue.SimpleQueue()
        # Set when all that was queued before is sent, or waits for a store.
        self._flushes: queue.SimpleQueue[threading.Event] = queue.SimpleQueue()
        self._is_closing = False
        self._is_finished = False
        self._deadline = math.inf
        self._overflowed = 0
        self._cpu_ns = 0
        self._noticed = (0, 0)
        self._notice_at = -math.inf

    def submit(self, entry: LogEntry) -> None:
        """Queue an entry, or count it as dropped."""
        queued = self._queue.qsize()
        if self._is_closing or queued >= self._capacity:
            with self._lock:
                self._overflowed += 1
            return
        self._queue.put(entry)
        if queued >= BATCH_RECORDS and self._hurry.empty():
            self._hurry.put(None)
        if self._thread is None:
            self.start()

    def start(self) -> None:
        """Start the thread unless it runs."""
        # Who finds the lock taken need not wait: its holder starts the thread, or counts one drop.
        if self._is_closing or not self._lock.acquire(blocking=False):
            return
        try:
            if self._thread is None:
                # Known before it runs: a signal handler that logs while it starts must not start another one.
                self._thread = threading.Thread(target=self._run, name="perfcli-logs", daemon=True)
                self._thread.start()
        except RuntimeError:
            # No more threads, or the interpreter is ending: what is queued is delivered by `close`.
            self._thread = None
            _logger.debug("The log writer does not start.", exc_info=True)
        finally:
            self._lock.release()

    def flush(self, timeout_s: float) -> None:
        """Have the thread send at once what is queued, and wait until it has, or until the timeout."""
        if self._thread is None or self._is_closing:
            return
        flushed = threading.Event()
        self._flushes.put(flushed)
        self._hurry.put(None)
        self._queue.put(None)
        flushed.wait(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Let the thread deliver what there is until the deadline, and end it."""
        self._deadline = min(self._deadline, self._clock() + timeout_s)
        self._is_closing = True
        self._hurry.put(None)
        if self._thread is None or self._thread.ident is None:
            self._finish()
        else:
            self._queue.put(None)
            self._thread.join(timeout_s + _JOIN_MARGIN_S)

    def counters(self) -> DeliveryCounters:
        """Return what became of the records so far; from any thread."""
        overflowed = self._overflowed
        by_sink = {lane.sink.name: lane.counters() for lane in self._lanes}
        # What never reached this thread is missing from every sink.
        sinks = {name: replace(seen, dropped=seen.dropped + overflowed) for name, seen in by_sink.items()}
        return DeliveryCounters(self._queue.qsize(), to_milliseconds(self._cpu_ns / 1e9), sinks)

    def forked(self) -> None:
        """Leave connections and files to the parent, in a forked child."""
        for lane in self._lanes:
            lane.forked()

    def _run(self) -> None:
        # What an earlier process left on disk does not wait for the first entry.
        has_more = True
        while not self._is_closing:
            self._put(self._take(0.0 if has_more else self._wait_s()))
            # Looked up before the queue is: what they wait for was in it by then.
            flushes = self._flushes.qsize()
            # Every lane has its turn, whatever the others say.
            has_more = sum(lane.step() for lane in self._lanes) > 0 or not self._queue.empty()
            for _ in range(0 if has_more else flushes):
                self._flushes.get().set()
            self._cpu_ns = time.thread_time_ns()
            has_more = self._notice() or has_more
        self._finish()
        self._cpu_ns = time.thread_time_ns()

    def _finish(self) -> None:
        with self._lock:
            if self._is_finished:
                return
            self._is_finished = True
        while not self._queue.empty():
            self._put(self._take(0.0))
            for lane in self._lanes:
                lane.step()
        self._notice_at = -math.inf
        self._notice()
        for lane in self._lanes:
            lane.close(self._deadline)
        dropped = self._dropped()
        if dropped > self._noticed[0]:
            _logger.warning("%d log records were dropped.", dropped)

    def _put(self, records: Sequence[Record]) -> None:
        for lane in self._lanes:
            lane.put(records)

    def _wait_s(self) -> float | None:
        waits = [wait for lane in self._lanes if (wait := lane.wait_s()) is not None]
        return min(waits, default=None)

    def _take(self, wait_s: float | None) -> list[Record]:
        """Wait for an entry, gather what comes close behind, and encode at most one batch of them."""
        entries: list[LogEntry | None] = []
        with suppress(queue.Empty):
            entries.append(self._queue.get(block=wait_s != 0, timeout=wait_s))
            if wait_s != 0 and self._queue.qsize() < BATCH_RECORDS:
                with suppress(queue.Empty):
                    self._hurry.get(timeout=GATHER_S)
            while len(entries) < BATCH_RECORDS:
                entries.append(self._queue.get_nowait())
        return [self._encoder.encode(entry) for entry in entries if entry is not None]

    def _dropped(self) -> int:
        """Count the records lost, each as often as there are sinks that will never have it."""
        return sum([lane.dropped + self._overflowed for lane in self._lanes])

    def _notice(self) -> bool:
        """Say in the log itself, once a minute, what it lacks or that a store was away; return whether that was due."""
        dropped, recoveries = self._dropped(), sum([lane.recoveries for lane in self._lanes])
        if (dropped, recoveries) == self._noticed or self._clock() < self._notice_at:
            return False
        counters = self.counters()
        retried = sum([sink.retried for sink in counters.sinks.values()])
        level, text = logging.INFO, f"A store takes log records again; retried so far: {retried}."
        if dropped != self._noticed[0]:
            level, text = logging.WARNING, f"{dropped} log records were dropped."
        self._noticed = (dropped, recoveries)
        self._notice_at = self._clock() + _NOTICE_EVERY_S
        if self._level <= level:
            fields = {"delivery": counters.document()}
            notice = LogEntry(level, _logger.name, time.time_ns(), text, fields=lambda: fields)
            self._put([self._encoder.encode(notice)])
        return True
