"""The result of `perfcli profile`: where one prediction spends its time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from perfcli.records.call_tree import CallNode
from perfcli.records.environment import Environment
from perfcli.records.metrics import TOP_FUNCTIONS, PerformanceMetrics, TopFunction
from perfcli.records.verdict import SloVerdict


@dataclass(frozen=True, slots=True)
class TargetDescription:
    """What was measured, and with which input.

    Attributes:
        kind: `embedded`, `model` or `remote`.
        name: Import path, file or URL, secrets masked.
        method: `predict`, `predict_proba`..., or the HTTP method.
        payloads: Number of payloads taken in turn.
        rows: Rows of the first payload.
        payload_digest: SHA-256 over all payloads, so that two results can tell whether they saw the same input.
    """

    kind: str
    name: str
    method: str
    payloads: int
    rows: int
    payload_digest: str


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Statistics of the unprofiled, warm calls.

    Attributes:
        median_s: Median.
        ci_low_s: Lower end of the 95 % confidence interval of the median; None when there are too few runs.
        ci_high_s: Upper end of it.
        mean_s: Arithmetic mean.
        p95_s: 95th percentile; None below the number of runs it needs.
        p99_s: 99th percentile; None below the number of runs it needs.
        min_s: Fastest call.
        max_s: Slowest call.
        runs: Number of calls.
    """

    median_s: float
    ci_low_s: float | None
    ci_high_s: float | None
    mean_s: float
    p95_s: float | None
    p99_s: float | None
    min_s: float
    max_s: float
    runs: int


@dataclass(frozen=True, slots=True)
class CpuTime:
    """CPU time of one unprofiled call: the median over blocks of calls of the mean in a block, or of one long block.

    Attributes:
        thread_s: Of the calling thread.
        process_s: Of all threads of the process; above `thread_s` native thread pools were at work.
    """

    thread_s: float
    process_s: float


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """Memory of the measuring process.

    Attributes:
        rss_bytes: Resident set size after the unprofiled calls.
        delta_bytes: Growth of the resident set over one call, as `CpuTime` is taken; 0 for almost every model.
        peak_bytes: Highest amount allocated at once during one call, from a tracemalloc pass of its own; None when
            that pass did not run.
    """

    rss_bytes: int
    delta_bytes: int
    peak_bytes: int | None


@dataclass(frozen=True, slots=True)
class Overhead:
    """What cProfile cost, and whether the function times were freed of it.

    Attributes:
        ratio: Typical profiled call over typical unprofiled call, that is the median, or the mean over payloads of
            their medians; None without profiled calls.
        seconds_per_call: Cost of one profiled function call, calibrated on this very workload.
        ci_low: Lower end of the 95 % confidence interval of `seconds_per_call`.
        ci_high: Upper end of it.
        corrected: Function times are corrected; false when the interval was too wide for that.
        profiled_runs: Number of profiled calls.
    """

    ratio: float | None = None
    seconds_per_call: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    corrected: bool = False
    profiled_runs: int = 0


@dataclass(frozen=True, slots=True)
class Stage:
    """A named part of the call, timed in an unprofiled pass, without what is inside other stages.

    Attributes:
        name: Step of the pipeline, name of a feature function, or phase of an HTTP exchange.
        median_s: Median time per prediction.
        share: Part of the duration of the whole call.
        calls: Times it ran in one prediction.
    """

    name: str
    median_s: float
    share: float
    calls: float


@dataclass(frozen=True, slots=True)
class FunctionTime:
    """One function of the profile, per prediction.

    Attributes:
        function: Qualified name; a builtin under its real name.
        file: Source file relative to its package; empty for a builtin.
        line: First line of the function; 0 for a builtin.
        calls: Calls in one prediction.
        self_s: Time in the function itself, corrected if the overhead says so.
        cumulative_s: Time in it and in what it calls, corrected if the overhead says so.
        profiled_self_s: `self_s` as cProfile saw it.
        profiled_cumulative_s: `cumulative_s` as cProfile saw it.
        share: `self_s` over the sum of it over all functions.
        called_by: The function that spends most time in calling this one; empty for the outermost.
        records: Of a server's function, how many records name it among their five: the other figures are means over
            these alone. None for a function of our own profile, which has all calls.
    """

    function: str
    file: str
    line: int
    calls: float
    self_s: float
    cumulative_s: float
    profiled_self_s: float
    profiled_cumulative_s: float
    share: float
    called_by: str = ""
    records: int | None = None

    def as_top_function(self) -> TopFunction:
        """Return the function in the shape of the logs, calls rounded to whole ones."""
        return TopFunction(
            self.function, self.file, self.line, self.cumulative_s, self.self_s, max(1, round(self.calls))
        )


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of an HTTP exchange as the client sees it: dns, connect, tls, send, wait or receive.

    Attributes:
        name: Name of the phase.
        cold_s: In the first exchange; None when it did not happen.
        median_s: Median over the warm exchanges; None when it does not happen there.
    """

    name: str
    cold_s: float | None
    median_s: float | None


@dataclass(frozen=True, slots=True)
class ServerView:
    """What a remote API says of the very requests that were measured.

    Attributes:
        timings: Median duration in seconds by metric of `Server-Timing`, in the order sent; empty without that header.
        metrics: Medians over the `performance_metrics` of the requests; None when the API is not instrumented.
        records: Number of `performance_metrics` records found.
        functions: The server's functions per prediction; empty when it did not profile.
        profiled: Number of records that name functions.
        log_refused: It keeps its log from us: it asks for a token that we have not.
    """

    timings: Mapping[str, float]
    metrics: PerformanceMetrics | None
    records: int
    functions: tuple[FunctionTime, ...]
    profiled: int = 0
    log_refused: bool = False


@dataclass(frozen=True, slots=True)
class Advice:
    """Something the reader should know before trusting a number.

    Attributes:
        code: Stable name, such as `noisy_machine`.
        message: What was seen, in plain language.
        hint: What to do next; may be empty.
    """

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """Everything one profiling run found out; every report is made from this alone.

    What a run does not say was not measured.

    Attributes:
        target: What was measured.
        environment: Where.
        started_at: Moment of the start, UTC, ISO 8601.
        measured_s: Time spent measuring, from the first call to the last.
        latency: Of the unprofiled warm calls; None when the run ended before there was one.
        cold_start_s: First call of the process.
        load_s: Importing and loading the model before it; None for a remote target.
        cpu: Of the unprofiled calls.
        memory: Of the measuring process.
        overhead: What the profiler cost.
        stages: In the order they run; empty when the target has none that perfcli knows.
        phases: Of the HTTP exchange; empty for a local target.
        functions: All that matter, the most expensive in self time first.
        function_calls: Function calls in one prediction.
        samples_s: Durations of the unprofiled calls in the order they were made.
        server: What a remote API says itself.
        warnings: What the reader should know.
        partial: The run was interrupted.
        verdicts: What the SLOs say; empty without any.
        call_tree: Every path down from the outermost function, in the order `CallNode` says; None when not recorded.
    """

    target: TargetDescription
    environment: Environment
    started_at: str
    measured_s: float
    latency: LatencySummary | None = None
    cold_start_s: float | None = None
    load_s: float | None = None
    cpu: CpuTime | None = None
    memory: MemoryUse | None = None
    overhead: Overhead = Overhead()
    stages: tuple[Stage, ...] = ()
    phases: tuple[Phase, ...] = ()
    functions: tuple[FunctionTime, ...] = ()
    function_calls: int | None = None
    samples_s: tuple[float, ...] = ()
    server: ServerView | None = None
    warnings: tuple[Advice, ...] = ()
    partial: bool = False
    verdicts: tuple[SloVerdict, ...] = ()
    call_tree: tuple[CallNode, ...] | None = None

    def performance_metrics(self) -> PerformanceMetrics | None:
        """Return the run in the shape of one log record: medians, and the five most expensive functions.

        A remote API that tells its own metrics is believed about the prediction; the latency stays the client's.
        None when nothing was measured.
        """
        if self.latency is None or self.cpu is None or self.memory is None:
            return None
        server = None if self.server is None else self.server.metrics
        if server is not None:
            return replace(server, latency_s=max(self.latency.median_s, server.inference_time_s))
        return PerformanceMetrics(
            inference_time_s=self.latency.median_s,
            cpu_time_s=self.cpu.thread_s,
            memory_bytes=self.memory.rss_bytes,
            memory_delta_bytes=self.memory.delta_bytes,
            function_calls=self.function_calls,
            latency_s=self.latency.median_s,
            top_functions=tuple(function.as_top_function() for function in self.functions[:TOP_FUNCTIONS]),
        )
