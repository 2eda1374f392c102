"""Each file of examples/deployment/ decides on every exit status, and its command runs."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowreaper.cli.exit_status import MEANINGS
from flowreaper.job.settings import DEFAULT_TIMEOUT_S
from tests.end_to_end.command import FLOWREAPER, ROOT, Command, Finished, Service, ended, wait_for

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]

EXAMPLES = ROOT / "examples" / "deployment"
MAILED = {1, 2, 3}
KILLED = 137  # by SIGKILL, as by want of memory; no status of the command
NIGHT = (22, 23, 0, 1, 2, 3, 4, 5)  # the hours in which a run may begin


def unit(name: str) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",))
    found.optionxform = str  # type: ignore[assignment]  # how configparser says that case matters
    found.read_string((EXAMPLES / name).read_text())
    return found


def kubernetes(kind: str) -> Any:
    (found,) = (
        document
        for document in yaml.safe_load_all((EXAMPLES / "kubernetes-job.yaml").read_text())
        if document["kind"] == kind
    )
    return found["spec"]


def container() -> Any:
    (found,) = kubernetes("Job")["template"]["spec"]["containers"]
    return found


def statuses_of_cron() -> dict[str, list[int]]:
    """Return the statuses of each branch of the script's `case`, by what the branch begins with."""
    found = re.findall(r"^([\d |*]+)\)", (EXAMPLES / "cron.sh").read_text(), re.MULTILINE)
    return {branch: [int(status) for status in re.findall(r"\d+", branch)] for branch in found}


def statuses_of_systemd() -> dict[str, list[int]]:
    service = unit("flowreaper.service")["Service"]
    keys = ("SuccessExitStatus", "RestartForceExitStatus", "RestartPreventExitStatus")
    return {"always a success": [0]} | {key: [int(status) for status in service[key].split()] for key in keys}


def statuses_of_kubernetes() -> dict[str, list[int]]:
    rules = kubernetes("Job")["podFailurePolicy"]["rules"]
    return {"always a success": [0]} | {
        rule["action"]: rule["onExitCodes"]["values"] for rule in rules if "onExitCodes" in rule
    }


def test_every_example_is_tested_here() -> None:
    names = {path.name for path in EXAMPLES.iterdir()}
    assert names == {"cron.sh", "flowreaper.service", "flowreaper.timer", "kubernetes-job.yaml"}


@pytest.mark.parametrize("decisions", [statuses_of_cron, statuses_of_systemd, statuses_of_kubernetes])
def test_an_example_decides_once_on_every_exit_status(decisions: Callable[[], dict[str, list[int]]]) -> None:
    decided = Counter(status for statuses in decisions().values() for status in statuses)
    assert decided == Counter({int(status): 1 for status in MEANINGS})


# cron


@pytest.fixture
def night(command: Command) -> Command:
    """A folder as cron.sh wants it, pointed at the sandbox."""
    shutil.copy(EXAMPLES / "cron.sh", command.folder)
    give_key(command)
    return command


def give_key(command: Command) -> None:
    lines = (f"export {name}={value}" for name, value in command.environment.items() if "ALIBABA" in name)
    command.write("credentials", *lines)


def run_script(command: Command, **variables: str) -> Finished:
    """Run the script as cron does: with little in its environment, from another folder."""
    kept = ("HOME", "PATH", "PYTHONPATH", "FLOWREAPER_ENDPOINT", "ALIBABA_CLOUD_ECS_METADATA_DISABLED")
    environment = {name: value for name, value in command.environment.items() if name in kept}
    crond = Command(Path("/"), environment | {"FLOWREAPER_DELETE_RATE": "500"} | variables)
    return crond.finish("/bin/sh", str(command.folder / "cron.sh"))


def log_of(command: Command) -> str:
    return (command.folder / "flowreaper.log").read_text()


def test_a_night_that_deletes_all_sends_no_mail(night: Command, ids: Ids) -> None:
    night.write("flows.txt", *ids(3))
    finished = run_script(night)
    assert (finished.status, finished.out, finished.err) == (0, "", ""), log_of(night)
    assert night.states("flows.txt.ckpt") == {"deleted": 3}
    assert "3 deleted" in log_of(night)


def test_flows_that_are_refused_are_mailed_with_the_command_that_lists_them(
    bare: Command, begin: Begin, ids: Ids
) -> None:
    flows = ids(2)
    _, command = begin("--published", bare.write("published.txt", flows[0]))
    shutil.copy(EXAMPLES / "cron.sh", command.folder)
    give_key(command)
    command.write("flows.txt", *flows)
    finished = run_script(command)
    assert finished.status == 1
    assert "ended with status 1" in finished.out
    assert "--state refused" in finished.out
    assert finished.err == ""


def test_an_input_that_is_missing_is_mailed(night: Command) -> None:
    finished = run_script(night)
    assert finished.status == 2
    assert "flows.txt" in finished.out
    assert "ended with status 2" in finished.out


def test_an_account_without_the_service_is_mailed(begin: Begin, ids: Ids) -> None:
    _, command = begin("--trouble", "answer:Product.Unsubscript:#1-")
    shutil.copy(EXAMPLES / "cron.sh", command.folder)
    give_key(command)
    command.write("flows.txt", *ids(3))
    finished = run_script(command)
    assert finished.status == 3
    assert "Product.Unsubscript" in finished.out


def test_a_night_that_ends_with_flows_left_sends_no_mail_and_the_next_goes_on(
    night: Command, ids: Ids
) -> None:
    night.write("flows.txt", *ids(3))
    finished = run_script(night, FLOWREAPER_DELETE_LIMIT="2")
    assert (finished.status, finished.out) == (4, "")
    assert night.states("flows.txt.ckpt") == {"deleted": 2, "pending": 1}
    assert run_script(night).status == 0
    assert night.states("flows.txt.ckpt") == {"deleted": 3}


def test_a_run_of_the_night_before_that_is_still_on_is_let_alone_without_mail(
    night: Command, service: Service, ids: Ids
) -> None:
    flows = ids(50)
    night.write("flows.txt", *flows)
    with night.flowreaper("delete", "--yes", "--rate", "1", "flows.txt") as before:
        wait_for(lambda: bool(service.called(flows)))
        finished = run_script(night)
        assert before.poll() is None
        before.terminate()
        ended(before)
    assert (finished.status, finished.out) == (75, "")


@pytest.mark.parametrize("status", [*MEANINGS, KILLED])
def test_only_what_a_person_must_see_is_mailed(night: Command, status: int) -> None:
    programs = night.folder / "programs"
    programs.mkdir()
    (programs / "flowreaper").write_text(f"#!/bin/sh\necho told >&2\nexit {int(status)}\n")
    (programs / "flowreaper").chmod(0o755)
    finished = run_script(night, PATH=f"{programs}{os.pathsep}{night.environment['PATH']}")
    assert finished.status == status
    assert ("told" in finished.out) is (status in MAILED | {KILLED})
    assert log_of(night).endswith("\ntold\n")


# systemd


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("no systemd-analyze here")
    for name in ("flowreaper.service", "flowreaper.timer"):
        text = (EXAMPLES / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/flowreaper/bin/flowreaper", sys.executable))
    units = [str(tmp_path / "flowreaper.service"), str(tmp_path / "flowreaper.timer")]
    done = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, check=False)
    # It may have something to say about this machine's own units.
    assert [line for line in done.stderr.splitlines() if "flowreaper" in line] == []


def test_the_service_runs_the_command_where_its_state_is(command: Command, ids: Ids) -> None:
    service = unit("flowreaper.service")["Service"]
    command.write("flows.txt", *ids(3))
    program, *words = shlex.split(service["ExecStart"])
    assert Path(program).name == "flowreaper"
    finished = command.finish(*FLOWREAPER, *words, env={"FLOWREAPER_DELETE_RATE": "500"})
    assert finished.status == 0, finished.err
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    assert service["Type"] == "exec"


def test_the_service_waits_for_replies_before_it_kills() -> None:
    service = unit("flowreaper.service")["Service"]
    assert service["KillSignal"] == "SIGTERM"
    assert int(service["TimeoutStopSec"]) > DEFAULT_TIMEOUT_S


def test_the_service_tries_again_after_trouble_and_only_then() -> None:
    assert statuses_of_systemd() == {
        "always a success": [0],
        "SuccessExitStatus": [4, 75, 130, 143],
        "RestartForceExitStatus": [3],
        "RestartPreventExitStatus": [1, 2],
    }
    assert unit("flowreaper.service")["Service"]["Restart"] == "on-failure"


def test_the_service_begins_only_in_the_night_that_timer_and_command_speak_of(tmp_path: Path) -> None:
    service, timer = unit("flowreaper.service")["Service"], unit("flowreaper.timer")["Timer"]
    assert timer["OnCalendar"] == f"*-*-* {NIGHT[0]:02}:00"
    assert f"--stop-at {NIGHT[-1] + 1:02}:00" in service["ExecStart"]
    (tmp_path / "date").write_text('#!/bin/sh\n[ "$1" = +%H ] && echo "$HOUR"\n')
    (tmp_path / "date").chmod(0o755)
    words = shlex.split(service["ExecCondition"].replace("$$", "$").replace("%%", "%"))
    begins = {
        hour: subprocess.run(words, env={"PATH": str(tmp_path), "HOUR": f"{hour:02}"}, check=False).returncode
        for hour in range(24)
    }
    assert begins == {hour: 0 if hour in NIGHT else 1 for hour in range(24)}


# Kubernetes


def test_the_job_counts_what_may_pass_and_fails_at_what_only_a_person_can_help() -> None:
    job = kubernetes("Job")
    assert statuses_of_kubernetes() == {
        "always a success": [0],
        "FailJob": [1, 2, 4],
        "Count": [3, 75, 130, 143],
    }
    assert job["podFailurePolicy"]["rules"][1] == {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }
    # Kubernetes takes a podFailurePolicy with these only.
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert job["podReplacementPolicy"] == "Failed"
    for rule in job["podFailurePolicy"]["rules"]:
        assert "onExitCodes" not in rule or rule["onExitCodes"]["containerName"] == container()["name"]


def test_the_job_s_checkpoint_outlives_its_pods_and_one_pod_has_it_at_a_time() -> None:
    words = container()["command"]
    checkpoint = Path(words[words.index("--checkpoint") + 1])
    (mount,) = (
        mount for mount in container()["volumeMounts"] if Path(mount["mountPath"]) == checkpoint.parent
    )
    (volume,) = (v for v in kubernetes("Job")["template"]["spec"]["volumes"] if v["name"] == mount["name"])
    assert volume["persistentVolumeClaim"]["claimName"] == "flowreaper"
    assert kubernetes("PersistentVolumeClaim")["accessModes"] == ["ReadWriteOncePod"]


def test_the_job_waits_for_replies_and_has_no_more_rights_than_it_needs() -> None:
    pod = kubernetes("Job")["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > DEFAULT_TIMEOUT_S
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_job_s_command_runs(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(3))
    words = [word.replace("/state/", "").replace("/input/", "") for word in container()["command"]]
    assert words[0] == "flowreaper"
    finished = command.finish(*FLOWREAPER, *words[1:], env={"FLOWREAPER_DELETE_RATE": "500"})
    assert finished.status == 0, finished.err
    assert command.states("flows.ckpt") == {"deleted": 3}
