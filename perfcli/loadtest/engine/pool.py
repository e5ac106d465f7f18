"""The open loop: users who wait for an arrival, run one task for it, and wait for the next."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import accumulate

import gevent
from locust import User
from locust.env import Environment

from perfcli.loadtest.engine.alarm import make_alarm
from perfcli.loadtest.engine.recorder import Recorder


class Pool:
    """Gives every arrival to an idle user, or to a new one, or drops it and counts that.

    The user is an ordinary Locust user: between two tasks it calls its `wait_time`, and this is where it waits for an
    arrival. The class is drawn for every arrival, by weight. The latest of it to become idle is the first to be used,
    so that few connections are open and these are warm.

    Attributes:
        exhausted: The schedule has ended.
    """

    def __init__(self, environment: Environment, recorder: Recorder, max_users: int, seed: int) -> None:
        assert environment.runner is not None
        self._environment = environment
        self._group = environment.runner.user_greenlets
        self._recorder = recorder
        self._max_users = max_users
        self._random = random.Random(seed)
        self._cumulative_weights: list[float] = []
        self._idle: defaultdict[type[User], list[gevent.Greenlet]] = defaultdict(list)
        self._due_ns: dict[gevent.Greenlet, int] = {}
        self._size = 0
        self._hub = gevent.get_hub()
        self._alarm = make_alarm(self._ring)
        self._schedule: Iterator[int] = iter(())
        self._start_ns = 0
        self._next_ns = 0
        self._stopped = False
        self.exhausted = False

    def start(self, schedule: Iterator[int], start_ns: int) -> None:
        """Begin with the arrivals, given in nanoseconds after the start."""
        self._cumulative_weights = list(accumulate(each.weight for each in self._environment.user_classes))
        self._schedule = schedule
        self._start_ns = start_ns
        self._advance()

    def stop(self) -> None:
        """Let nobody arrive any more."""
        self._stopped = True
        self._alarm.close()

    def claim(self) -> int | None:
        """Return when the arrival of the calling user was due; None when a request was already made for it."""
        return self._due_ns.pop(gevent.getcurrent(), None)

    def unclaimed(self) -> Iterator[int]:
        """Take the arrivals for which no request was ever made."""
        while self._due_ns:
            yield self._due_ns.popitem()[1]

    def _advance(self) -> None:
        for offset_ns in self._schedule:
            self._next_ns = self._start_ns + offset_ns
            self._alarm.set(self._next_ns)
            return
        self.exhausted = True

    def _ring(self) -> None:
        # Only what was due when the bell rang: answers must be read between two rounds also when we lag behind.
        now_ns = time.perf_counter_ns()
        while not self.exhausted and self._next_ns <= now_ns:
            due_ns = self._next_ns
            offset_ns = next(self._schedule, None)
            if offset_ns is None:
                self.exhausted = True
            else:
                self._next_ns = self._start_ns + offset_ns
            self._dispatch(due_ns)
        if not self.exhausted:
            self._alarm.set(self._next_ns)

    def _dispatch(self, due_ns: int) -> None:
        self._recorder.now.scheduled += 1
        # Also for an arrival that is dropped: which class the next one gets must not hang on how fast the server is.
        user_class = self._draw()
        idle = self._idle[user_class]
        if idle:
            greenlet = idle.pop()
            self._due_ns[greenlet] = due_ns
            greenlet.switch()
        elif self._size < self._max_users or self._retire():
            self._size += 1
            gevent.spawn(self._begin, user_class, due_ns)
        else:
            self._recorder.now.dropped += 1

    def _draw(self) -> type[User]:
        classes = self._environment.user_classes
        if len(classes) == 1:
            return classes[0]
        return self._random.choices(classes, cum_weights=self._cumulative_weights)[0]

    def _retire(self) -> bool:
        """Send an idle user home for one of another class; false when nobody is idle."""
        for idle in self._idle.values():
            if idle:
                # `_left` counts it out, a moment after its successor was counted in.
                idle.pop(0).kill(block=False)
                return True
        return False

    def _begin(self, user_class: type[User], due_ns: int) -> None:
        if self._stopped:
            self._recorder.now.dropped += 1
            return
        user = user_class(self._environment)
        on_start = user.on_start

        def start() -> None:
            on_start()
            self._due_ns[gevent.getcurrent()] = due_ns

        # Of this instance only: on the class it would also hold for a closed loop in the same process.
        user.on_start = start  # type: ignore[method-assign]
        user.wait_time = partial(self._wait, self._idle[user_class])  # type: ignore[method-assign]
        greenlet = user.start(self._group)
        greenlet.link(self._left)

    def _wait(self, idle: list[gevent.Greenlet]) -> float:
        greenlet = gevent.getcurrent()
        if self._due_ns.pop(greenlet, None) is not None:
            self._recorder.now.silent += 1
        idle.append(greenlet)
        try:
            self._hub.switch()
        except BaseException:
            if greenlet in idle:
                idle.remove(greenlet)
            raise
        return 0.0

    def _left(self, greenlet: gevent.Greenlet) -> None:
        self._size -= 1
        if self._due_ns.pop(greenlet, None) is None:
            return
        if self._stopped:
            self._recorder.now.dropped += 1
        else:
            self._recorder.now.silent += 1
