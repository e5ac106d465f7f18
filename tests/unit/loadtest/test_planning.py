from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perfcli.bundled import bundled_path
from perfcli.errors import PayloadError, UsageError
from perfcli.loadtest.messages import ScenarioFacts
from perfcli.loadtest.options import LoadOptions
from perfcli.loadtest.plan import Segment
from perfcli.loadtest.planning import LoadPlan, aim, describe_bound, plan_load
from perfcli.reporters.load_table import describe_load

MakePlan = Callable[..., LoadPlan]


def test_without_a_word_about_the_load_it_is_ten_users_for_ten_seconds(make_plan: MakePlan) -> None:
    plan = make_plan()

    assert (plan.engine.open_loop, plan.engine.users, plan.engine.duration_s) == (False, 10, 10.0)
    assert (plan.description.users, plan.description.rate_rps, plan.description.arrivals) == (10, None, None)
    assert plan.warm_up_s is None


def test_a_rate_makes_an_open_loop(make_plan: MakePlan) -> None:
    plan = make_plan(rate_rps=200.0, arrivals="poisson", requests=1000)

    assert (plan.engine.open_loop, plan.engine.rate, plan.engine.arrivals) == (True, 200.0, "poisson")
    assert (plan.engine.duration_s, plan.engine.requests) == (None, 1000)
    assert plan.description.users is None


def test_a_shape_is_of_users_unless_arrivals_are_named(make_plan: MakePlan) -> None:
    closed, opened = make_plan(shape="hold 5/2s"), make_plan(shape="hold 5/2s", arrivals="constant")

    assert closed.engine.shape == opened.engine.shape == (Segment(5, 5, 2),)
    assert (closed.engine.open_loop, opened.engine.open_loop) == (False, True)
    assert (closed.description.users, closed.engine.duration_s) == (None, None)


@pytest.mark.parametrize(
    ("host", "path", "base_url", "expected"),
    [
        ("http://localhost:8000", None, "http://localhost:8000", "/predict"),
        ("http://localhost:8000/", None, "http://localhost:8000", "/predict"),
        ("http://localhost:8000/v2/infer", None, "http://localhost:8000", "/v2/infer"),
        ("https://[::1]:8443/a", "/b", "https://[::1]:8443", "/b"),
    ],
)
def test_the_path_is_that_of_the_option_then_of_the_url_then_predict(
    make_plan: MakePlan, host: str, path: str | None, base_url: str, expected: str
) -> None:
    plan = make_plan(host=host, path=path)

    assert (plan.engine.base_url, plan.engine.path) == (base_url, expected)


def test_secrets_are_sent_but_not_recorded(make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "abc123")

    plan = make_plan(headers=["Authorization: env:TOKEN"], path="/predict?api_key=xyz789")

    assert plan.engine.headers == {"Authorization": "abc123"}
    assert plan.engine.path == "/predict?api_key=xyz789"
    assert "xyz789" not in repr(plan.description)
    assert plan.hide_secrets("you sent abc123") == "you sent ***"


def test_a_warm_up_may_be_long_where_time_does_not_end_the_run(make_plan: MakePlan) -> None:
    assert make_plan(warm_up="1h", requests=5).warm_up_s == 3600
    assert make_plan(warm_up="9s").warm_up_s == 9


def test_an_open_target_is_aimed_later(scenario: Path) -> None:
    plan = aim(
        plan_load(LoadOptions(scenario=scenario)), "http://127.0.0.1:9", metrics_url="http://127.0.0.1:9/metrics"
    )

    assert plan.engine.base_url == "http://127.0.0.1:9"
    assert (plan.description.url, plan.metrics_url) == ("http://127.0.0.1:9", "http://127.0.0.1:9/metrics")


def test_the_path_is_shown_before_the_run_only_where_the_scenario_cannot_choose_another(scenario: Path) -> None:
    def url(**options: Any) -> str:
        return aim(plan_load(LoadOptions(**{"scenario": scenario, **options})), "http://127.0.0.1:9").description.url

    assert url() == "http://127.0.0.1:9"
    assert url(path="/score") == "http://127.0.0.1:9/score"
    assert url(host="http://localhost:8000/score") == "http://127.0.0.1:9/score"
    assert url(scenario=bundled_path("loadtests/predict.py")) == "http://127.0.0.1:9/predict"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"users": 5, "rate_rps": 10.0}, "--users and --rate exclude each other"),
        ({"users": 5, "shape": "hold 5/2s"}, "--users and --shape exclude each other"),
        ({"arrivals": "poisson"}, "there are none"),
        ({"rate_rps": 10.0, "arrivals": "bursty"}, "Unknown arrivals 'bursty'"),
        ({"rate_rps": 10.0, "spawn_rate": 1.0}, "--spawn-rate is for --users"),
        ({"shape": "hold 5/2s", "duration_s": 5.0}, "has its own length"),
        ({"rate_rps": float("nan")}, "--rate must be above 0, not nan"),
        ({"rate_rps": float("inf")}, "--rate must be above 0, not inf"),
        ({"users": 1, "requests": 9, "expect_workers": 2}, "between 2 workers, but only 1 of them would have users"),
        ({"duration_s": 0.0}, "--duration must be above 0, not 0"),
        ({"path": "predict"}, "begins with a slash"),
        ({"scenario": Path("no/such/file.py")}, "There is no scenario"),
        ({"warm_up": "never"}, "'never' is no warm-up"),
        ({"warm_up": "3s", "duration_s": 2.0}, "--warm-up 3s leaves nothing to measure of a run of 2.00 s"),
        ({"warm_up": "10s"}, "--warm-up 10s leaves nothing to measure of a run of 10.0 s"),
        ({"warm_up": "1m", "shape": "ramp 0-5/30s, hold 30s"}, "--warm-up 1m leaves nothing to measure"),
        ({"warm_up": "2s", "rate_rps": 5.0, "duration_s": 1.0}, "--warm-up 2s leaves nothing to measure"),
        ({"headers": ["Authorization"]}, "lacks the colon"),
        ({"facts": ScenarioFacts(has_shape=True), "users": 5}, "--users and the shape of scenario.py exclude each"),
        ({"facts": ScenarioFacts(has_shape=True), "spawn_rate": 5.0}, "--spawn-rate and the shape of scenario.py"),
        ({"host": None, "facts": ScenarioFacts(hosts=("http://a", "http://b?key=secret"))}, "several hosts: http://a"),
        ({"host": "localhost:8000"}, "is no URL of an API"),
        ({"host": "http://localhost:99999"}, "is no URL of an API"),
        ({"host": "http://user:secret@localhost"}, "takes no user"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(make_plan: MakePlan, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make_plan(**options)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("options", [{"payloads": [{"a": 1}, {"a": [1]}]}, {"payloads": [{"a": 1}], "batch_size": 1}])
def test_what_a_get_request_cannot_carry_is_refused(make_plan: MakePlan, options: dict[str, Any]) -> None:
    assert make_plan(http_method="get", payloads=[{"a": 1}]).engine.method == "GET"
    with pytest.raises(PayloadError, match="carries one flat row"):
        make_plan(http_method="get", **options)


@pytest.mark.parametrize(
    ("options", "bound"),
    [
        ({"requests": 500}, "500 requests"),
        ({"users": 5, "duration_s": 60.0}, "5 users, each as fast as it is answered, for 60.0 s"),
        ({"rate_rps": 200.0, "duration_s": 30.0}, "about 6000 requests in 30.0 s"),
        ({"shape": "ramp 0-200/30s, hold 10s", "arrivals": "poisson"}, "about 5000 requests in 40.0 s"),
        ({"shape": "ramp 0-20/30s"}, "20 users, each as fast as it is answered, for 30.0 s"),
    ],
)
def test_the_bound_on_requests_is_said_in_words(make_plan: MakePlan, options: dict[str, Any], bound: str) -> None:
    assert describe_bound(make_plan(**options)) == bound


def test_rows_count_the_batch(make_plan: MakePlan) -> None:
    description = make_plan(payloads=[{"a": 1}, {"a": 2}], batch_size=8).description

    assert (description.payloads, description.rows) == (2, 8)
    assert description.payload_digest is not None


@pytest.mark.parametrize(
    ("options", "processes"),
    [
        ({"users": 2, "requests": 100}, 2),
        ({"users": 9, "requests": 100}, 4),
        ({"requests": 100}, 4),
        ({"users": 2, "duration_s": 5.0}, 4),
        ({"rate_rps": 9.0, "requests": 100}, 4),
    ],
)
def test_no_process_gets_a_share_of_the_requests_without_a_user_to_send_it(
    make_plan: MakePlan, options: dict[str, Any], processes: int
) -> None:
    assert make_plan(processes=4, **options).engine.processes == processes


OWN_SHAPE = ScenarioFacts(has_shape=True)


def test_a_shape_of_the_scenario_fixes_neither_users_nor_length(make_plan: MakePlan) -> None:
    plan = make_plan(facts=OWN_SHAPE)

    assert (plan.engine.own_shape, plan.engine.duration_s, plan.finds_warm_up) == (True, None, False)
    assert describe_load(plan.description) == "shape of scenario.py"
    asked = plan.description
    assert (asked.users, asked.rate_rps, asked.duration_s, asked.requests) == (None, None, None, None)
    assert describe_bound(plan) == (
        "as many users as the shape of scenario.py says, each as fast as it is answered, until it ends"
    )


def test_a_shape_of_the_scenario_may_be_cut_short(make_plan: MakePlan) -> None:
    plan = make_plan(facts=OWN_SHAPE, duration_s=5.0)

    assert (plan.engine.own_shape, plan.engine.duration_s) == (True, 5.0)
    assert describe_load(plan.description) == "shape of scenario.py for 5.00 s"
    assert describe_bound(plan).endswith("for up to 5.00 s")
    assert make_plan(facts=OWN_SHAPE, requests=100, processes=20).engine.processes == 20


@pytest.mark.parametrize("options", [{"rate_rps": 10.0}, {"shape": "hold 5/2s"}])
def test_what_replaces_the_shape_of_the_scenario_is_all_that_is_told(
    make_plan: MakePlan, options: dict[str, Any]
) -> None:
    plan, without = make_plan(facts=OWN_SHAPE, **options), make_plan(**options)
    assert (plan.engine, plan.description) == (without.engine, without.description)
