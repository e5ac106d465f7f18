"""Show the performance monitoring at work on the embedded API: `make test-performance`."""

from __future__ import annotations

import json
import statistics
import time

import httpx

from perfcli.api.process import running_api
from perfcli.bundled import bundled_path
from perfcli.payloads import read_payloads

REQUESTS = 60


def main() -> None:
    """Serve, predict with the monitoring on and off, and read the logs back."""
    patients = read_payloads(str(bundled_path("sample_payloads/patients.jsonl")))[:REQUESTS]
    with (
        running_api({"ENABLE_PERFORMANCE_MONITORING": "true"}) as monitored,
        running_api({"ENABLE_PERFORMANCE_MONITORING": "false"}) as bare,
        httpx.Client() as client,
    ):
        seconds: dict[str, list[float]] = {monitored.base_url: [], bare.base_url: []}
        for patient in patients:
            for url, taken in seconds.items():
                answer = client.post(f"{url}/predict", json=patient).raise_for_status()
                taken.append(answer.elapsed.total_seconds())
        logs = read_logs(client, monitored.base_url)
        silent = client.get(f"{bare.base_url}/logs").json()
        performance = client.get(f"{monitored.base_url}/performance").json()
    records = [entry["performance_metrics"] for entry in logs["logs"] if "performance_metrics" in entry]
    if len(records) != REQUESTS or any("performance_metrics" in entry for entry in silent["logs"]):
        raise SystemExit(f"{REQUESTS} predictions left {len(records)} records: that is a bug in perfcli.")
    on, off = (statistics.median(taken) for taken in seconds.values())
    print("One log record of a prediction:\n")
    print(json.dumps({"performance_metrics": records[0]}, indent=2))
    print(f"\n{len(records)} records of {REQUESTS} predictions at GET /logs; without monitoring there are none.")
    print(
        f"GET /performance counts {performance['predictions']} predictions, {performance['profiled']} of them profiled."
    )
    print(f"Median answer: {on * 1e3:.1f} ms with every prediction profiled, {off * 1e3:.1f} ms without monitoring.")


def read_logs(client: httpx.Client, url: str) -> dict[str, list[dict[str, object]]]:
    """Read the logs once the last record is there: they are written off the path of the requests."""
    deadline = time.monotonic() + 10
    while True:
        page = client.get(f"{url}/logs", params={"limit": REQUESTS}).json()
        if page["total"] >= REQUESTS or time.monotonic() > deadline:
            return page
        time.sleep(0.05)


if __name__ == "__main__":
    main()
