"""Settings: where they come from, and what a wrong one says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from perfcli.errors import SettingsError
from perfcli.settings import Settings, load_settings, load_token

REPOSITORY = Path(__file__).parents[2]
SWITCH = "ENABLE_PERFORMANCE_MONITORING"
EXAMPLE_LINE = re.compile(r"^(# )?([A-Z][A-Z_]+)=(.*)$", re.MULTILINE)


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def write_env_file(text: str) -> None:
    Path(".env").write_text(text, encoding="utf-8")


def message_of(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


def test_monitoring_is_off_and_every_prediction_deep_unless_told_otherwise() -> None:
    settings = load_settings()
    assert settings.enable_performance_monitoring is False
    assert settings.performance_sample_rate == 1.0
    assert settings.performance_overhead_budget is None
    assert settings.logging_handler == ("stdout",)
    assert (settings.api_host, settings.api_port, settings.api_token) == ("127.0.0.1", 8000, None)


def test_the_environment_wins_over_the_file_and_the_command_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    write_env_file("REDIS_HOST=file\nREDIS_PORT=1\nREDIS_DB=1\n")
    monkeypatch.setenv("REDIS_HOST", "environment")
    monkeypatch.setenv("REDIS_PORT", "2")
    settings = load_settings({"redis_host": "command", "redis_db": None})
    assert (settings.redis_host, settings.redis_port, settings.redis_db) == ("command", 2, 1)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "")
    assert load_settings().api_token is None


@pytest.mark.parametrize(("text", "ratio"), [("1%", 0.01), ("0.01", 0.01), ("100%", 1.0), ("0", 0.0)])
def test_a_budget_is_a_percentage_or_a_ratio(text: str, ratio: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERFORMANCE_OVERHEAD_BUDGET", text)
    assert load_settings().performance_overhead_budget == pytest.approx(ratio)


def test_lists_are_separated_by_commas_and_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGGING_HANDLER", "stdout, redis,stdout,")
    monkeypatch.setenv("LOG_REDACT", "name,mean_radius")
    settings = load_settings()
    assert settings.logging_handler == ("stdout", "redis")
    assert settings.log_redact == ("name", "mean_radius")


def test_sizes_have_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_MAX_BODY_BYTES", "2MiB")
    monkeypatch.setenv("LOG_SPOOL_MAX_BYTES", "4096")
    settings = load_settings()
    assert (settings.api_max_body_bytes, settings.log_spool_max_bytes) == (2 * 2**20, 4096)


def test_the_log_level_may_be_written_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert load_settings().log_level == "DEBUG"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "ENABLE_PERFORMANCE_MONITORING",
            "ture",
            (
                "ENABLE_PERFORMANCE_MONITORING=ture is not one of true, false. "
                "Did you mean ENABLE_PERFORMANCE_MONITORING=true?"
            ),
        ),
        (
            "LOGGING_HANDLER",
            "stdout,reddis",
            "LOGGING_HANDLER=reddis is not one of stdout, redis, elasticsearch. Did you mean LOGGING_HANDLER=redis?",
        ),
        (
            "LOG_LEVEL",
            "infos",
            "LOG_LEVEL=INFOS is not one of DEBUG, INFO, WARNING, ERROR, CRITICAL. Did you mean LOG_LEVEL=INFO?",
        ),
        (
            "API_PORT",
            "99999",
            "API_PORT=99999 is not valid: should be less than or equal to 65535. Change or remove API_PORT.",
        ),
        (
            "PERFORMANCE_OVERHEAD_BUDGET",
            "much",
            (
                "PERFORMANCE_OVERHEAD_BUDGET=much is not valid: 'much' is not a ratio. Write it like 1%, 0.01. "
                "Change or remove PERFORMANCE_OVERHEAD_BUDGET."
            ),
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_variable_and_the_nearest_right_one(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert message_of(name, value, monkeypatch) == message


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("API_PORT", "http://[::1", "should be a valid integer"),
        ("REDIS_LOGS_MAX_SIZE", "9" * 20, "should be less than or equal to 2147483647"),
        ("API_MAX_BODY_BYTES", "9" * 400, "it is too large"),
        ("LOG_SPOOL_MAX_BYTES", "9" * 30, "should be less than or equal to 1125899906842624"),
    ],
)
def test_a_value_that_is_far_off_is_an_error_as_any_other(
    name: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reason in message_of(name, value, monkeypatch)


def test_a_wrong_line_of_the_file_is_named_in_the_same_way() -> None:
    write_env_file("ENABLE_PERFORMANCE_MONITORING=ture\n")
    with pytest.raises(SettingsError, match=r"^ENABLE_PERFORMANCE_MONITORING=ture is not one of true, false"):
        load_settings()


def test_a_misspelled_name_in_the_file_is_an_error_that_knows_the_right_one() -> None:
    write_env_file("LOGING_HANDLER=redis\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == ".env sets LOGING_HANDLER, which nothing reads. Did you mean LOGGING_HANDLER?"


def test_a_misspelled_name_in_the_environment_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENABLE_PERFORMANCE_MONITORNG", "true")
    with pytest.raises(SettingsError, match=r"^The environment sets ENABLE_PERFORMANCE_MONITORNG, which nothing reads"):
        load_settings()


def test_in_the_process_of_somebody_else_it_is_said_and_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("REDIS_HOSTS", "a,b")
    assert load_settings(is_guest=True).redis_host == "localhost"
    assert [record.getMessage() for record in caplog.records] == [
        "The environment sets REDIS_HOSTS, which nothing reads. Did you mean REDIS_HOST?"
    ]


def test_two_letters_that_are_swapped_are_a_misspelling_however_short_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKNE", "s3cret")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == "The environment sets API_TOKNE, which nothing reads. Did you mean API_TOKEN?"


@pytest.mark.parametrize(
    "line",
    [
        f"{SWITCH}: true",
        f"{SWITCH} true",
        SWITCH,
        f"set {SWITCH}=true",
        'API_TOKEN="s3cret',
        "if true; then",
    ],
)
def test_a_line_that_sets_nothing_is_an_error_that_names_it_and_does_not_quote_it(line: str) -> None:
    write_env_file(f"# ours\n\nAPI_PORT=9000\n\n{line}\nAPI_HOST=0.0.0.0\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == "Line 5 of .env sets nothing. Write it like API_PORT=8000."


def test_variables_of_others_are_ignored() -> None:
    write_env_file(
        "DATABASE_URL=postgres://db\nREDIS_PASSWORD=x\nAPI_KEY=y\nLOG_FORMAT=json\n"
        "APP_HOST=h\nREDIS_URI=redis://db\nexport PATH\n"
    )
    assert load_settings().redis_host == "localhost"


def test_a_file_that_is_no_text_is_an_error() -> None:
    Path(".env").write_bytes(b"API_HOST=\xff\xfe")
    with pytest.raises(SettingsError, match=r"^Cannot read \.env"):
        load_settings()


def test_secrets_are_neither_shown_nor_quoted_in_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cret")
    monkeypatch.setenv("REDIS_URL", "redis://me:s3cret@store:6379/0")
    monkeypatch.setenv("ELASTICSEARCH_URL", "http://me:s3cret@store:9200")
    assert "s3cret" not in repr(load_settings())
    assert message_of("REDIS_PORT", "redis://me:s3cret@store", monkeypatch).startswith("REDIS_PORT=*** is not valid")


def test_the_example_file_lists_exactly_the_settings() -> None:
    text = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    names = [name for _, name, _ in EXAMPLE_LINE.findall(text)]
    assert sorted(names) == sorted(name.upper() for name in Settings.model_fields)


def test_the_example_file_shows_the_defaults() -> None:
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    defaults = load_settings()
    write_env_file(example)
    assert load_settings() == defaults


def test_the_examples_that_are_commented_out_are_valid() -> None:
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    write_env_file(EXAMPLE_LINE.sub(r"\2=\3", example))
    settings = load_settings()
    assert settings.performance_overhead_budget == pytest.approx(0.01)
    assert settings.log_spool_dir == Path("/var/lib/perfcli")


def test_the_token_is_read_whatever_else_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_token() is None
    write_env_file("API_TOKEN=s3cret\nREDIS_PORT=none\n")
    assert load_token() == "s3cret"
    monkeypatch.setenv("API_TOKEN", "of the environment")
    assert load_token() == "of the environment"


def test_a_token_from_a_mounted_file_may_end_with_a_newline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cret\r\n")
    token = load_settings().api_token
    assert token is not None
    assert token.get_secret_value() == load_token() == "s3cret"


@pytest.mark.parametrize(
    ("token", "reason"),
    [("s3\ncret", "it holds characters that cannot be printed"), (" ", "it is blank"), ("s3cret\udcff", "it holds")],
)
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(
    token: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert message_of("API_TOKEN", token, monkeypatch).startswith(f"API_TOKEN=*** is not valid: {reason}")
    with pytest.raises(SettingsError, match=reason):
        load_token()


def test_a_file_of_settings_that_is_no_text_is_said_when_the_token_is_read() -> None:
    Path(".env").write_bytes(b"API_TOKEN=\xff\n")
    with pytest.raises(SettingsError, match="Save it as a UTF-8 text file"):
        load_token()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {SWITCH: "ture"},
            f"{SWITCH}=ture is not one of true, false. Did you mean {SWITCH}=true?",
        ),
        (
            {"LOGGING_HANDLER": "redis", "REDIS_URL": "foo", "ENABLE_PERFORMANCE_MONITORING": "true"},
            "REDIS_URL=foo is no address of Redis. Write it like redis://localhost:6379/0.",
        ),
    ],
)
def test_a_service_with_a_bad_setting_ends_in_one_line_that_names_it(variables: dict[str, str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from perfcli import performance_monitor"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr.splitlines()[-1] == f"perfcli.errors.SettingsError: {message}"
    assert done.stderr.count("Traceback") == 1
    assert "pydantic" not in done.stderr


@pytest.mark.parametrize("value", [" true ", "true\r", "\ttrue"])
def test_white_space_around_a_value_is_none_of_it(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ENABLE_PERFORMANCE_MONITORING", value)
    assert load_settings().enable_performance_monitoring


def test_what_is_no_secret_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENABLE_PERFORMANCE_MONITORING", " ture ")
    with pytest.raises(SettingsError, match=r"^ENABLE_PERFORMANCE_MONITORING=ture is not one of true, false"):
        load_settings()


def test_the_ports_that_kubernetes_sets_on_its_own_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PORT", "tcp://10.0.0.5:6379")
    monkeypatch.setenv("API_PORT", "tcp://10.0.0.6:80")
    settings = load_settings()
    assert (settings.redis_port, settings.api_port) == (6379, 8000)


def test_without_a_home_there_is_no_folder_to_wait_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert load_settings().log_spool_dir is None
