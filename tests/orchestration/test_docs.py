"""docs/operations.md and deploy/: every command is run, every file is what it says.

What would change the machine (users, services, containers, the network) is run with stand-ins for those
programs, which note what they were asked; everything else is the real thing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from tests.support.command_line import shopsight
from tests.support.literal_rows import load_rows
from tests.support.orchestration_service import ONE_ORDER

from shopsight.errors import ExitCode
from shopsight.orchestration.alerts import AlertKind

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()

STAND_IN = """#!/bin/sh
echo "$(basename "$0") $*" >> "$ASKED"
"""


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def _run(script: str, folder: Path, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        check=False,
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, f"{script}\n{process.stdout}{process.stderr}"
    return process.stdout


def test_the_commands_of_shopsight_do_what_the_page_says(
    tmp_path: Path, mongo_url: str, mongo_database: str
) -> None:
    load_rows(f"sqlite:///{tmp_path / 'shop.db'}", ONE_ORDER)
    settings = {
        "SHOPSIGHT_SOURCE_URL": f"sqlite:///{tmp_path / 'shop.db'}",
        "SHOPSIGHT_TARGET_URL": mongo_url,
        "SHOPSIGHT_TARGET_DATABASE": mongo_database,
    }
    for _ in range(2):
        assert shopsight("run", **settings).code == 0

    # All in one shell, which stops at the first that fails. `--resume` is for a run that failed half-way.
    fail = "! SHOPSIGHT_RETRIES=0 SHOPSIGHT_TARGET_URL=mongodb://127.0.0.1:1/ shopsight run\n"
    script = "\n".join(_blocks("sh"))
    assert len(re.findall("^shopsight ", script, flags=re.MULTILINE)) == 9
    said = _run(
        script.replace("shopsight run --resume\n", f"{fail}shopsight run --resume\n"),
        tmp_path,
        SHOPSIGHT_CONNECT_TIMEOUT="2s",
        **settings,
    )

    assert "shopsight_data_fresh 1" in (tmp_path / "shopsight.prom").read_text()
    assert '"status": "succeeded"' in (tmp_path / "runs.json").read_text()
    assert "is fresh" in said


def test_installing_and_upgrading_puts_every_file_where_the_unit_looks(tmp_path: Path) -> None:
    stand_ins = tmp_path / "bin"
    stand_ins.mkdir()
    for name in ("useradd", "git", "make", "systemctl", "systemd-run", "journalctl"):
        (stand_ins / name).write_text(STAND_IN)
        (stand_ins / name).chmod(0o755)
    # The real one, without owners that this machine does not have.
    (stand_ins / "install").write_text(
        "#!/bin/bash\nexec "
        + str(shutil.which("install"))
        + ' $(printf "%s\\n" "$@" | sed -E "/^--(owner|group)$/,+1d")\n'
    )
    (stand_ins / "install").chmod(0o755)
    root = tmp_path / "root"
    (root / "etc/systemd/system").mkdir(parents=True)

    for script in _blocks("sh root"):
        here = script.replace("/opt/shopsight", str(ROOT)).replace("/etc/", f"{root}/etc/")
        _run(here, tmp_path, PATH=f"{stand_ins}:{os.environ['PATH']}", ASKED=str(tmp_path / "asked"))

    asked = (tmp_path / "asked").read_text()
    assert "systemctl enable --now shopsight" in asked
    assert "systemctl restart shopsight" in asked
    unit = (root / "etc/systemd/system/shopsight.service").read_text()
    assert "EnvironmentFile=/etc/shopsight/environment" in unit
    assert (root / "etc/shopsight/environment").stat().st_mode & 0o777 == 0o640
    assert (root / "etc/shopsight").stat().st_mode & 0o777 == 0o750


def test_the_containers_are_started_with_a_file_of_passwords_that_only_its_owner_reads(
    tmp_path: Path,
) -> None:
    stand_ins = tmp_path / "bin"
    stand_ins.mkdir()
    (stand_ins / "docker").write_text(STAND_IN)
    (stand_ins / "docker").chmod(0o755)
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")

    for script in _blocks("sh containers"):
        _run(script, tmp_path, PATH=f"{stand_ins}:{os.environ['PATH']}", ASKED=str(tmp_path / "asked"))

    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert "docker compose up" in (tmp_path / "asked").read_text()


def test_every_block_of_commands_is_run_by_a_test() -> None:
    kinds = set(re.findall(r"^```(\w.*)$", PAGE, flags=re.MULTILINE))

    assert kinds == {"sh", "sh root", "sh containers", "json", "toml"}


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = (ROOT / "deploy" / "shopsight.service").read_text()
    program = Path(sys.executable).with_name("shopsight")
    (tmp_path / "shopsight.service").write_text(
        unit.replace("/opt/shopsight/.venv/bin/shopsight", str(program))
    )

    process = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "shopsight.service"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (process.returncode, process.stdout + process.stderr) == (0, "")


def test_the_unit_waits_longer_than_a_stop_may_take() -> None:
    from shopsight.orchestration.prefect_runner import FLOW_STOP_SECONDS
    from shopsight.orchestration.prefect_server import STOP_SECONDS

    unit = (ROOT / "deploy" / "shopsight.service").read_text()
    [seconds] = re.findall(r"TimeoutStopSec=(\d+)", unit)
    assert int(seconds) > FLOW_STOP_SECONDS + STOP_SECONDS
    assert _compose()["services"]["shopsight"]["stop_grace_period"] == f"{seconds}s"


def _compose() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_compose_publishes_on_loopback_alone_and_holds_no_password() -> None:
    services = _compose()["services"]

    assert set(services) == {"postgres", "mongo", "prefect", "shopsight"}
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)
    text = (ROOT / "compose.yaml").read_text()
    assert re.findall(r"_PASSWORD: (?!\$\{\w+:\?)", text) == []
    assert set(re.findall(r"\$\{(\w+)", text)) == set(
        re.findall(r"^(\w+)=$", (ROOT / "deploy" / "compose.env.example").read_text(), flags=re.MULTILINE)
    )
    files = [volume.split(":")[0] for volume in services["postgres"]["volumes"] if volume.startswith("./")]
    assert all((ROOT / file).exists() for file in [*files, services["shopsight"]["build"]["dockerfile"]])


def test_the_files_that_the_dockerfile_copies_exist_and_are_not_ignored() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    copied = [
        word
        for line in re.findall(r"^COPY (?!--)(.*)$", dockerfile, flags=re.MULTILINE)
        for word in line.split()[:-1]
    ]
    let_in = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), flags=re.MULTILINE)

    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert any(Path(name).match(pattern) for pattern in let_in), name


def test_the_page_has_every_kind_of_alert_and_every_exit_code() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, flags=re.MULTILINE) == [str(kind) for kind in AlertKind]
    assert [int(code) for code in re.findall(r"^\| (\d) \|", PAGE, flags=re.MULTILINE)] == list(ExitCode)
