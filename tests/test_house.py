"""The house itself: the wheel holds what the program needs, the lock is complete, and no file names one machine."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("agent_tui", "broker_bridge", "themes")

ONE_MACHINE = re.compile(
    r"(^|[^A-Za-z0-9_./-])/(work|farm|root)/"  # somebody's folders
    r"|/tmp/[a-z]"
    r"|(pypi|pythonhosted|npmjs|deb\.debian)\.(org|com)|registry\.npm"  # package registries
)


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    """The standard output of a command that must succeed; its errors are shown when it does not."""
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def tracked() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files belong to the project is not known here")
    names = run("git", "-c", f"safe.directory={ROOT}", "ls-files", "-z").split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built here without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("onewindow-*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    ours = {name for name in tracked() if name.startswith(tuple(f"{package}/" for package in PACKAGES))}
    assert ours - set(zipfile.ZipFile(wheel).namelist()) == set()


@pytest.mark.parametrize(
    ("folder", "suffix"),
    [
        ("themes", ".toml"),
        ("agent_tui", ".tcss"),
        ("broker_bridge/channels", ".html"),
        ("broker_bridge/channels", ".js"),
    ],
)
def test_the_wheel_holds_data_beside_the_code(wheel: Path, folder: str, suffix: str) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.startswith(f"{folder}/") and name.endswith(suffix)]


def test_the_wheel_holds_nothing_but_the_packages(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_both_commands_lead_to_a_module_in_the_wheel(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (listed,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    points = dict(re.findall(r"^(\S+) = (\S+):main$", archive.read(listed).decode(), re.MULTILINE))
    assert points == {"agent-tui": "agent_tui.__main__", "broker-bridge": "broker_bridge.__main__"}
    assert {module.replace(".", "/") + ".py" for module in points.values()} <= set(archive.namelist())


def test_an_installed_wheel_finds_its_themes_from_any_folder(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    options = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "install", *options, "--target", str(site), str(wheel))
    ask = "from importlib.resources import files; print(*(theme for theme in files('themes').iterdir()), sep='\\n')"
    found = run(sys.executable, "-c", ask, cwd=tmp_path, PYTHONPATH=str(site)).splitlines()
    assert {Path(name).stem for name in found if name.startswith(str(site)) and name.endswith(".toml")} >= {
        "night",
        "day",
    }


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text()
    return {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_holds_every_dependency_within_its_bounds(lock: str) -> None:
    extras: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
    lists = [PROJECT["project"]["dependencies"], PROJECT["build-system"]["requires"]]
    lists += [names for extra, names in extras.items() if extra != "dev" or "dev" in lock]
    pinned = pins(lock)
    for needed in (Requirement(line) for names in lists for line in names):
        assert needed.specifier.contains(pinned.get(canonicalize_name(needed.name), "missing")), f"make lock: {needed}"


def test_users_and_developers_run_the_same_versions() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_a_hash_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert all("--hash=sha256:" in block for block in re.split(r"\n(?=\S)", text) if "==" in block.split("\n")[0])
    assert not re.search(r"https?://|file://|--(extra-)?index-url|--find-links|--trusted-host", text)


def test_every_dependency_says_why_it_is_there() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    needed = re.findall(r'^  "[\w.\[\]-]+(?:[<>=~!].*?)?",(.*)$', text.split("[project.scripts]")[0], re.MULTILINE)
    assert len(needed) > 15
    assert all(re.match(r" # \S.{10}", comment) for comment in needed)


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = []
    for name in tracked():
        data = (ROOT / name).read_bytes()
        if b"\0" in data or name.endswith(".svg"):
            continue
        lines = data.decode("utf-8", "replace").splitlines()
        found += [
            f"{name}:{number}: {line.strip()[:120]}" for number, line in enumerate(lines, 1) if ONE_MACHINE.search(line)
        ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("cd /{}/main", "work"),
        ("open('/{}/x')", "tmp"),
        ("https://{}.org/simple", "pypi"),
        ("registry.{}.org", "npmjs"),
    ],
)
def test_the_check_for_machines_sees_one(line: str, word: str) -> None:
    assert ONE_MACHINE.search(line.format(word))
