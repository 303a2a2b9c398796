"""Dockerfiles and the compose file, as far as no container engine is needed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

DOCKERFILE = Path("deploy/images/Dockerfile")
HADOLINT = Path(sys.executable).parent / "hadolint"


def test_hadolint_finds_nothing():
    assert subprocess.run([HADOLINT, "--no-fail", DOCKERFILE], capture_output=True, text=True, check=True).stdout == ""


def test_hadolint_finds_a_base_that_is_not_pinned(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN pip install dagster\n", encoding="utf-8")
    found = subprocess.run(
        [HADOLINT, "--no-fail", tmp_path / "Dockerfile"], capture_output=True, text=True, check=True
    ).stdout
    assert {"DL3006", "DL3013"} <= set(re.findall(r"DL\d+", found))


def test_every_image_that_runs_is_not_root():
    stages = re.split(r"^FROM ", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    named = {match[1]: stage for stage in stages if (match := re.match(r".* AS (\S+)", stage))}
    running = {name: stage for name, stage in named.items() if "\nCMD " in stage}
    assert set(running) == {"code", "dagster", "training", "serving"}
    for name, stage in running.items():
        assert stage.rindex("USER 10001:10001") > max(stage.rfind("\nRUN "), stage.rfind("\nCOPY ")), name


def test_what_is_copied_into_an_image_is_there():
    for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE):
        for source in line.split()[:-1]:
            assert Path(source).exists(), source


def test_all_packages_of_the_code_location_are_copied():
    text = DOCKERFILE.read_text(encoding="utf-8")
    packages = [
        path.parent.name for path in Path().glob("*/__init__.py") if path.parent.name not in ("tests", "benchmarks")
    ]
    assert packages
    assert all(f"COPY {package} ./{package}" in text for package in packages)


@pytest.mark.parametrize("service", ["daemon", "webserver", "postgres", "azurite"])
def test_services_of_the_team_server_are_pinned_and_hold_no_secret(service):
    compose = yaml.safe_load(Path("compose.yaml").read_text(encoding="utf-8"))
    one = compose["services"][service]
    assert "build" in one or re.search(r":\d+\.\d+", one["image"])
    for name, value in one["environment"].items():
        if re.search(r"PASSWORD|KEY|SAS$|ACCOUNTS", name):
            assert "${" in value, name
