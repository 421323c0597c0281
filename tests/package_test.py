"""The package as it is published: source archive and wheel, away from the checkout; API pages."""

import pathlib
import subprocess
import sys
import tarfile
import zipfile

import pytest
from references.command import ROOT, environment

BUILD = "import sys; from setuptools import build_meta; build_meta.build_{}(sys.argv[1])"
SOURCES = ("jaxbench", "configs", "third_party", "setup.py", "pyproject.toml", "README.md")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
  """The source archive, and the wheel that is built from it."""
  folder = tmp_path_factory.mktemp("built")
  _build("sdist", _copy(folder / "checkout"), folder)
  (archive,) = folder.glob("*.tar.gz")
  with tarfile.open(archive) as packed:
    packed.extractall(folder / "unpacked", filter="data")
  (source,) = (folder / "unpacked").iterdir()
  _build("wheel", source, folder)
  (wheel,) = folder.glob("*.whl")
  return archive, wheel


def _copy(folder):
  """What is tracked; builds leave files where they are run."""
  listed = subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard", *SOURCES],
    capture_output=True,
    text=True,
    check=True,
    cwd=ROOT,
  )
  for name in listed.stdout.splitlines():
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes((ROOT / name).read_bytes())
  return folder


def _build(kind: str, source: pathlib.Path, folder: pathlib.Path) -> None:
  command = [sys.executable, "-W", "ignore", "-c", BUILD.format(kind), folder]
  subprocess.run(command, capture_output=True, check=True, cwd=source)


@pytest.mark.slow
def test_a_wheel_runs_without_the_checkout(built, tmp_path):
  _, wheel = built
  with zipfile.ZipFile(wheel) as packed:
    packed.extractall(tmp_path / "site")
  settings = {"PYTHONPATH": str(tmp_path / "site")}
  arguments = ("run", "quickstart", "--config.models=digits-resnet", "--config.limit=4")
  arguments += ("--config.corruptions.names=contrast", "--config.attacks.names=", "--workdir=run")
  process = subprocess.run(
    [sys.executable, "-m", "jaxbench", *arguments],
    capture_output=True,
    text=True,
    cwd=tmp_path,
    env=environment(**settings),
  )
  assert process.returncode == 0, process.stderr
  assert (tmp_path / "run" / "report.html").exists()


def test_a_wheel_has_all_that_it_may_need(built):
  archive, wheel = built
  with zipfile.ZipFile(wheel) as packed:
    names = set(packed.namelist())
    (about,) = [name for name in names if name.endswith("dist-info/METADATA")]
    metadata = packed.read(about).decode()
  expected = [*(ROOT / "configs").glob("*.py"), *(ROOT / "third_party").glob("*")]
  assert {f"jaxbench/{file.relative_to(ROOT)}" for file in expected} <= names
  assert {"jaxbench/py.typed", "jaxbench/CHANGELOG.md", "jaxbench/data/README.md"} <= names
  extras = {line.split()[1] for line in metadata.splitlines() if line.startswith("Provides-Extra")}
  assert {"torch", "gpu", "tpu", "video", "overlap", "hub", "ray", "sky", "all"} <= extras
  assert archive.name.removesuffix(".tar.gz") == wheel.name.partition("-py3")[0]


def test_the_changes_tell_of_this_version():
  import jaxbench

  assert f"\n## {jaxbench.__version__}\n" in (ROOT / "jaxbench" / "CHANGELOG.md").read_text()


@pytest.mark.slow
def test_pages_of_the_interface_are_built_without_a_warning(tmp_path):
  command = [sys.executable, "-W", "error", "-m", "pdoc", "-o", tmp_path, "jaxbench"]
  process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
  assert (process.returncode, process.stdout) == (0, ""), process.stderr
  assert (tmp_path / "jaxbench" / "attacks.html").exists()
