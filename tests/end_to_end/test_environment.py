"""Options from the environment, and that every command and option is documented."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from flowreaper import __version__
from flowreaper.cli import cli
from tests.end_to_end.command import Command, Service

Ids = Callable[[int], list[str]]

GROUP = click.Context(cli)
COMMANDS = {name: cli.get_command(GROUP, name) for name in cli.list_commands(GROUP)}

# What a variable says, and what the option is then.
FROM_ENVIRONMENT: dict[str, tuple[str, Any]] = {
    "checkpoint": ("job.ckpt", Path("job.ckpt")),
    "plan": ("plan.json", Path("plan.json")),
    "input_format": ("csv", "csv"),
    "id_field": ("id", "id"),
    "space_field": ("space", "space"),
    "cust_space_id": ("cams-1", "cams-1"),
    "id_pattern": ("[a-z]+", "[a-z]+"),
    "rate": ("7.5", 7.5),
    "concurrency": ("3", 3),
    "timeout": ("2", 2.0),
    "max_attempts": ("4", 4),
    "region": ("cn-hangzhou", "cn-hangzhou"),
    "endpoint": ("example.com", "example.com"),
    "profile": ("work", "work"),
    "results": ("out.jsonl", "out.jsonl"),
    "retry": ("refused absent", ("refused", "absent")),
    "treat": ("A=absent B=refused", ("A=absent", "B=refused")),
    "limit": ("9", 9),
    "max_duration": ("5h", "5h"),
    "stop_at": ("06:00", "06:00"),
    "summary_json": ("out.json", Path("out.json")),
    "dry_run": ("1", True),
    "yes": ("true", True),
    "sandbox": ("yes", True),
    "progress": ("lines", "lines"),
    "progress_interval": ("2.5", 2.5),
    "log_format": ("json", "json"),
    "log_level": ("debug", "debug"),
    "max_consecutive_refusals": ("8", 8),
    "outage_limit": ("60", 60.0),
    "max_consecutive_absent": ("7", 7),
    "retry_code": ("A.B C", ("A.B", "C")),
    "accept_lost_log": ("1", True),
    "expect_account": ("1000000000000001", "1000000000000001"),
    "max_delete": ("10%", "10%"),
    "no_identity": ("1", True),
    "only_drafts": ("1", True),
    "keep_used": ("no", False),
    "backup": ("saved", Path("saved")),
    "no_backup": ("1", True),
    "canary": ("5", 5),
    "read_rate": ("3.5", 3.5),
    "sts_endpoint": ("sts.example.com", "sts.example.com"),
}


def options(command: click.Command | None) -> list[click.Option]:
    assert command
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def test_the_table_of_variables_names_every_option_of_delete() -> None:
    assert {option.name for option in options(COMMANDS["delete"])} == set(FROM_ENVIRONMENT)


@pytest.mark.parametrize("name", FROM_ENVIRONMENT)
def test_an_option_of_delete_comes_from_its_variable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    text, value = FROM_ENVIRONMENT[name]
    monkeypatch.setenv(f"FLOWREAPER_DELETE_{name.upper()}", text)
    delete = COMMANDS["delete"]
    assert delete
    with (
        cli.make_context("flowreaper", ["delete"], resilient_parsing=False) as group,
        delete.make_context("delete", [], parent=group) as ctx,
    ):
        assert ctx.params[name] == value


def test_a_run_takes_its_options_from_the_environment(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(4)
    command.write("flows.txt", *flows)
    environment = {
        "FLOWREAPER_DELETE_YES": "1",
        "FLOWREAPER_DELETE_LIMIT": "2",
        "FLOWREAPER_DELETE_CHECKPOINT": "env.ckpt",
        "FLOWREAPER_DELETE_LOG_FORMAT": "json",
    }
    finished = command.run("delete", "flows.txt", env=environment)
    assert finished.status == 4
    assert finished.told == []
    assert command.states("env.ckpt") == {"deleted": 2, "pending": 2}


def test_a_flag_comes_before_the_environment(command: Command, ids: Ids) -> None:
    finished = command.delete("--limit", "1", stdin="\n".join(ids(2)), env={"FLOWREAPER_DELETE_LIMIT": "2"})
    assert "This run: 1 deleted; 1 call" in finished.err


def test_the_commands_own_endpoint_variable_comes_before_the_shared_one(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(1)
    environment = {
        "FLOWREAPER_DELETE_ENDPOINT": service.url,
        "FLOWREAPER_DELETE_STS_ENDPOINT": service.url,
        "FLOWREAPER_STS_ENDPOINT": "http://not-this-one.example",
        "FLOWREAPER_ENDPOINT": "http://not-this-one.example",
    }
    assert command.delete(stdin=flows[0], env=environment).status == 0
    assert service.called(flows) == flows


def test_the_embedded_sandbox_comes_before_an_endpoint_of_the_environment(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(1)
    assert command.delete("--sandbox", stdin=flows[0]).status == 0
    assert service.called(flows) == []


def test_a_region_that_was_typed_comes_before_an_endpoint_of_the_environment(
    command: Command, ids: Ids
) -> None:
    command.delete("-c", "job.ckpt", "-", stdin=ids(1)[0])
    finished = command.run("delete", "--dry-run", "--region", "cn-hangzhou", "-c", "job.ckpt")
    assert finished.status == 2
    assert "not for https://cams.cn-hangzhou.aliyuncs.com" in finished.err


def test_a_variable_with_a_bad_value_is_a_usage_error(command: Command) -> None:
    finished = command.run("delete", "-y", env={"FLOWREAPER_DELETE_RATE": "fast"})
    assert finished.status == 2
    assert "'--rate': 'fast'" in finished.err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_says_what_it_does(name: str) -> None:
    undocumented = [option.opts for option in options(COMMANDS[name]) if not (option.help or "").strip()]
    assert undocumented == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_shows_its_use_its_options_and_an_example(bare: Command, name: str) -> None:
    shown = bare.run(name, "-h")
    assert (shown.status, shown.err) == (0, "")
    assert f"Usage: flowreaper {name} " in shown.out
    assert f"\n  flowreaper {name} " in shown.out.split("\nExamples:")[1]
    for option in options(COMMANDS[name]):
        assert option.opts[-1] in shown.out


def test_the_version_is_the_packages(bare: Command) -> None:
    assert bare.run("--version").out == f"flowreaper, version {__version__}\n"


def test_without_a_command_the_commands_are_listed(bare: Command) -> None:
    shown = bare.run()
    assert shown.status == 2
    assert all(f"\n  {name} " in shown.err for name in COMMANDS)


KEY = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "some-access-key-id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "some-secret"}


def write_profile(command: Command, key_id: str, secret: str) -> None:
    (command.folder / ".aliyun").mkdir()
    profile = {"name": "work", "mode": "AK", "access_key_id": key_id, "access_key_secret": secret}
    command.write(".aliyun/config.json", json.dumps({"current": "work", "profiles": [profile]}))


@pytest.mark.parametrize("empty", [True, False])
@pytest.mark.parametrize("missing", KEY)
def test_half_a_key_is_a_usage_error_and_no_other_account_s_profile_is_used(
    bare: Command, service: Service, ids: Ids, missing: str, *, empty: bool
) -> None:
    flows = ids(1)
    write_profile(bare, *(service.environment[name] for name in KEY))
    half = {name: value for name, value in KEY.items() if name != missing} | ({missing: ""} if empty else {})
    finished = bare.delete("--endpoint", service.url, stdin=flows[0], env=half)
    assert finished.status == 2
    assert f"{missing} is missing or empty" in finished.err
    assert "some-secret" not in finished.err
    assert service.called(flows) == []


def test_a_token_without_its_key_is_a_usage_error(bare: Command, service: Service, ids: Ids) -> None:
    flows = ids(1)
    write_profile(bare, *(service.environment[name] for name in KEY))
    token = {"ALIBABA_CLOUD_SECURITY_TOKEN": "some-token"}
    finished = bare.delete("--endpoint", service.url, stdin=flows[0], env=token)
    assert finished.status == 2
    assert (
        "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET are missing or empty" in finished.err
    )
    assert "some-token" not in finished.err
    assert service.called(flows) == []


@pytest.mark.parametrize("name", KEY)
def test_with_a_profile_the_environments_key_is_not_used_at_all(
    bare: Command, service: Service, ids: Ids, name: str
) -> None:
    flows = ids(2)
    write_profile(bare, *(service.environment[name] for name in KEY))
    words = ("--endpoint", service.url, "--sts-endpoint", service.url, "--profile", "work")
    assert bare.delete(*words, stdin=flows[0], env={name: KEY[name]}).status == 0
    assert bare.delete(*words, stdin=flows[1], env=KEY).status == 0
    assert service.called(flows) == flows


@pytest.mark.parametrize("name", KEY)
def test_half_a_key_of_the_environment_does_not_complete_that_of_a_profile(
    bare: Command, service: Service, ids: Ids, name: str
) -> None:
    flows = ids(1)
    right = [service.environment[name] for name in KEY]
    key_id, secret = ("", right[1]) if name == "ALIBABA_CLOUD_ACCESS_KEY_ID" else (right[0], "")
    write_profile(bare, key_id, secret)
    words = ("--endpoint", service.url, "--sts-endpoint", service.url, "--profile", "work")
    finished = bare.delete(*words, stdin=flows[0], env={name: service.environment[name]})
    assert finished.status == 3
    field = name.removeprefix("ALIBABA_CLOUD_").lower()
    assert f"profile 'work' (AK) of ~/.aliyun/config.json: {field} is empty" in finished.err
    assert service.called(flows) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("rate", "1e308"),
        ("rate", "inf"),
        ("rate", "nan"),
        ("rate", "1e-300"),
        ("concurrency", "1000000000"),
        ("timeout", "nan"),
        ("timeout", "inf"),
        ("outage-limit", "nan"),
        ("limit", "0"),
        ("max-attempts", "-1"),
    ],
)
def test_a_number_that_no_run_can_have_is_a_usage_error(command: Command, option: str, value: str) -> None:
    finished = command.run("delete", "-y", f"--{option}", value, stdin="1")
    assert finished.status == 2
    assert f"Error: --{option} must be " in finished.err
    assert finished.err.endswith(f", not {float(value) if option == 'rate' else value}\n")
    assert "defect" not in finished.err


@pytest.mark.parametrize(
    "words",
    [
        ("--outage-limit", "inf"),
        ("--outage-limit", "1e308"),
        ("--limit", str(10**30)),
        ("--max-attempts", str(10**30)),
        ("--max-consecutive-refusals", str(10**30)),
        ("--concurrency", "10000"),
    ],
)
def test_a_large_number_works_where_it_means_something(
    command: Command, ids: Ids, words: tuple[str, ...]
) -> None:
    assert command.delete(*words, stdin=ids(1)[0]).status == 0
