"""The real command line on real files: killing, resuming, devices, batches, bad input."""

import pathlib
import random
import re
import resource
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from references.command import ROOT, call, parts, run, start

from jaxbench import records
from jaxbench.evaluate import runner

SLOW = pytest.mark.slow
SMALL = (
  "--config=configs/quickstart.py",
  "--config.models=digits-clip",
  "--config.prompts=simple",
  "--config.corruptions.names=gaussian_noise",
  "--config.corruptions.severities=1,5",
  "--config.attacks.names=pgd(steps=3)",
  "--config.attacks.epsilons=2/255,8/255",
  "--config.limit=40",
  "--config.block=16",
  "--config.slots=8",
)
EXACT = (  # Few programs: those whose rows are the same bits on all devices compile for long.
  "--config=configs/quickstart.py",
  "--config.prompts=simple",
  "--config.corruptions.names=gaussian_noise",
  "--config.corruptions.severities=5",
  "--config.attacks.names=pgd(steps=3)",
  "--config.attacks.epsilons=8/255",
  *SMALL[-3:],
)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
  """A run that nothing disturbed, on one device."""
  workdir = tmp_path_factory.mktemp("reference") / "run"
  out, err = run(*SMALL, f"--workdir={workdir}")
  return workdir, out, err


def test_a_run_prints_its_table_and_where_the_report_is(reference):
  workdir, out, _ = reference
  title, header, *lines = out.strip().splitlines()
  assert title == "accuracy, percent (corruptions: mean over severities)"
  assert header.split()[:4] == ["data", "model", "prompts", "clean"]
  assert len(lines) == 2
  assert lines[-1] == f"report: {workdir / 'report.html'}"
  assert (workdir / "report.html").stat().st_size > 10_000


def test_output_that_is_no_terminal_gets_no_control_characters(reference):
  assert "\r" not in reference[2]
  assert "\x1b" not in reference[2]


def test_every_cell_has_every_example_once(reference):
  rows = records.read(reference[0])
  cells = {cell["id"] for cell in records.load_run(reference[0])["cells"]}
  assert len(cells) == 1 + 2 + 2
  assert rows.num_rows == 40 * len(cells)
  pairs = set(zip(rows["cell"].to_pylist(), rows["example"].to_pylist(), strict=True))
  assert len(pairs) == rows.num_rows
  assert {cell for cell, _ in pairs} == cells


def test_a_finished_run_is_not_computed_again(reference):
  workdir, out, _ = reference
  before = {part.name for part in (workdir / "records").iterdir()}
  again, _ = call("jaxbench", *SMALL, f"--workdir={workdir}")
  assert again == out
  assert {part.name for part in (workdir / "records").iterdir()} == before


def test_killed_five_times_it_ends_with_the_same_rows(reference, tmp_path):
  draw, workdir = random.Random(time.time_ns()), tmp_path / "run"
  for _ in range(5):
    before = parts(workdir)
    process = start(*SMALL, f"--workdir={workdir}")
    while process.poll() is None and not (workdir / "run.json").exists():
      time.sleep(0.02)
    deadline = time.monotonic() + draw.uniform(0, 5)
    while process.poll() is None and time.monotonic() < deadline and parts(workdir) <= before + 1:
      time.sleep(draw.uniform(0, 0.2))
    process.kill()
    process.communicate()
  run(*SMALL, f"--workdir={workdir}")
  assert records.read(workdir).equals(records.read(reference[0]))


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=SLOW)])
def test_asked_to_stop_it_writes_what_it_has_and_says_how_to_go_on(number, reference, tmp_path):
  workdir = tmp_path / "run"
  process = start(*SMALL, f"--workdir={workdir}")
  while process.poll() is None and not parts(workdir):
    time.sleep(0.02)
  process.send_signal(number)
  _, err = process.communicate(timeout=60)
  assert process.returncode == 128 + number
  assert err.strip().splitlines()[-1] == (
    f"jaxbench: stopped by {signal.Signals(number).name}; the same command continues the run"
  )
  before = records.read(workdir).num_rows
  assert before < records.read(reference[0]).num_rows
  run(*SMALL, f"--workdir={workdir}")
  assert records.read(workdir).equals(records.read(reference[0]))


def _catches(process, number):
  """Whether a process has a handler for a signal."""
  status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
  (caught,) = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", status, re.MULTILINE)
  return int(caught, 16) >> (number - 1) & 1


def _has(pattern):
  return lambda process, workdir: any(workdir.glob(pattern))


MOMENTS = {  # Python itself catches SIGINT; SIGTERM, caught after it, tells when jaxbench does.
  "imports": lambda process, workdir: _catches(process, signal.SIGTERM),
  "the folder": _has("run.json"),
  "compilation": _has("leases/*.0"),
}


@pytest.mark.skipif(not pathlib.Path("/proc").exists(), reason="tells when a process is ready")
@pytest.mark.parametrize(
  ("moment", "number"),
  [
    ("imports", signal.SIGINT),
    ("compilation", signal.SIGTERM),
    pytest.param("imports", signal.SIGTERM, marks=SLOW),
    pytest.param("the folder", signal.SIGINT, marks=SLOW),
    pytest.param("the folder", signal.SIGTERM, marks=SLOW),
    pytest.param("compilation", signal.SIGINT, marks=SLOW),
  ],
)
def test_a_signal_at_any_moment_is_one_line_and_its_status(moment, number, tmp_path):
  process = start(*SMALL, f"--workdir={tmp_path / 'run'}", "--nocompilation_cache")
  while process.poll() is None and not MOMENTS[moment](process, tmp_path / "run"):
    time.sleep(0.001)
  process.send_signal(number)
  out, err = process.communicate(timeout=60)
  assert (process.returncode, out) == (128 + number, "")
  (line,) = [line for line in err.splitlines() if " passes, " not in line]  # Of a slow machine.
  name = signal.Signals(number).name
  assert line == f"jaxbench: stopped by {name}; the same command continues the run"


REST = ("corruptions", "imagenet_c", "report", "typography")  # As `overlap` does.


@pytest.mark.skipif(not pathlib.Path("/proc").exists(), reason="tells when a process is ready")
@pytest.mark.parametrize("name", ["overlap", *(pytest.param(one, marks=SLOW) for one in REST)])
def test_every_program_stops_while_it_is_imported(name):
  command = [sys.executable, "-m", f"jaxbench.{name}"]
  process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
  while process.poll() is None and not _catches(process, signal.SIGTERM):
    time.sleep(0.001)
  process.send_signal(signal.SIGINT)
  _, err = process.communicate(timeout=60)
  assert process.returncode == 130
  assert err.startswith(f"jaxbench.{name}: stopped by SIGINT")
  assert err.count("\n") == 1


@SLOW
@pytest.mark.parametrize("model", ["digits-resnet", "digits-clip"])
def test_eight_devices_and_two_workers_give_the_same_rows_as_one_process(model, tmp_path):
  asked = (*EXACT, f"--config.models={model}")
  run(*asked, f"--workdir={tmp_path / 'alone'}", exact=True)
  _, err = run(*asked, f"--workdir={tmp_path / 'run'}", "--workers=2", devices=8, exact=True)
  assert "leaked" not in err  # Of the memory that workers share with the main process.
  assert records.read(tmp_path / "run").equals(records.read(tmp_path / "alone"))


@SLOW
def test_another_batch_size_gives_the_same_verdicts(reference, tmp_path):
  run(*SMALL, f"--workdir={tmp_path / 'run'}", "--config.slots=5", "--config.block=40")
  columns = ["cell", "example", "clean_prediction", "prediction", "success", "steps"]
  found, expected = (records.read(path, columns) for path in (tmp_path / "run", reference[0]))
  assert found.equals(expected)
  sizes = [
    records.read(path, ["distance"])["distance"] for path in (tmp_path / "run", reference[0])
  ]
  np.testing.assert_allclose(*(size.drop_null().to_numpy() for size in sizes), atol=1e-6)


def test_the_plan_is_printed_and_nothing_is_run(tmp_path):
  out, _ = call("jaxbench", *SMALL, f"--workdir={tmp_path / 'run'}", "--plan")
  assert "5 cells, at most" in out
  assert out.count("#") == 5
  assert not (tmp_path / "run").exists()


@SLOW
def test_the_table_says_that_images_were_perturbed_at_their_own_size(tmp_path):
  asked = ("models=digits-resnet", "corruptions.names=", "attacks.names=fgsm", "limit=5", "slots=8")
  options = [f"--config.{one}" for one in (*asked, "native")]
  out, _ = run(SMALL[0], *options, f"--workdir={tmp_path / 'run'}")
  *_, told, where = out.strip().splitlines()
  assert told.startswith("digits: perturbed at the images' own 8 x 8 pixels; the model resizes")
  assert where.startswith("report: ")


LOADED = "import jaxbench.__main__, jaxbench.run, sys; print(*sys.modules)"
HEAVY = {"grain", "matplotlib", "orbax.checkpoint", "scipy.stats", "tensorflow_datasets"}


def test_a_command_starts_without_what_it_may_never_need():
  """Together they take as long to import as all the rest."""
  process = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, cwd=ROOT)
  assert "jaxbench.evaluate.runner" in process.stdout.split()
  assert not HEAVY & set(process.stdout.split())


def test_help_shows_the_handful_of_flags():
  out, _ = run("--help")
  for flag in ("--config:", "--workdir:", "--[no]plan:", "--profile:", "--[no]compilation_cache:"):
    assert flag in out
  assert len(out.splitlines()) < 60


BAD = {  # The rest is in wrong_inputs_test.py, in one process.
  "flags": ((*SMALL, "--wrkdir=x"), "Did you mean: workdir"),
  "a config": (("--config=configs/roz.py:huge",), "unknown argument of this config 'huge'"),
  "settings": ((*SMALL, "--config.models=digits-clp"), "Did you mean 'digits-clip'"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_status_2(arguments, message, tmp_path):
  out, err = run(*arguments, f"--workdir={tmp_path / 'run'}", status=2)
  assert not out
  (line,) = err.strip().splitlines()
  assert line.startswith("jaxbench: ")
  assert message in line
  assert not (tmp_path / "run").exists()


def test_a_workdir_of_another_configuration_is_refused(reference):
  arguments = (*SMALL, f"--workdir={reference[0]}", "--config.seed=7")
  _, err = call("jaxbench", *arguments, status=2)
  assert "config.seed is 0 there and 7 here" in err


@SLOW
def test_a_disk_that_fills_up_loses_nothing(reference, tmp_path):
  """A limit on the size of files stands in for the full disk; parts that fit stay good.

  Programs are in the cache since `reference`, so nothing but the run writes.
  """
  workdir = tmp_path / "run"
  process = start(
    *SMALL,
    f"--workdir={workdir}",
    "--config.gallery=16",
    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
  )
  _, err = process.communicate(timeout=300)
  assert process.returncode == 1
  (line,) = [line for line in err.splitlines() if " passes, " not in line]
  assert "File too large" in line
  assert line.endswith("mend it, then the same command continues the run")
  assert not [file for file in (workdir / "records").iterdir() if file.suffix != ".parquet"]
  run(*SMALL, f"--workdir={workdir}", "--config.gallery=16")
  assert (
    records.read(workdir).drop(["picture"]).equals(records.read(reference[0]).drop(["picture"]))
  )


@SLOW
def test_several_runs_make_one_report(reference, tmp_path):
  command = [sys.executable, "-m", "jaxbench.report", reference[0], reference[0]]
  subprocess.run([*command, f"--out={tmp_path / 'both.html'}"], check=True, cwd=ROOT)
  assert (tmp_path / "both.html").read_text().count(">Protocol: what it takes") == 2


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ((), "name at least one run"),
    (("{folder}",), "not the --workdir of a run"),
    (("{run}", "--out={folder}/none/page.html"), "there is no folder"),
    (("{run}", "--export={folder}/file"), "cannot be used: Not a directory"),
    (("{run}", "--robustbench={folder}/file/deep"), "cannot be used: Not a directory"),
  ],
)
def test_a_report_that_cannot_be_written_is_one_line(arguments, message, reference, tmp_path):
  (tmp_path / "file").write_text("")
  filled = [one.format(run=reference[0], folder=tmp_path) for one in arguments]
  _, err = call("jaxbench.report", f"--out={tmp_path / 'page.html'}", *filled, status=2)
  (line,) = err.splitlines()
  assert line.startswith("jaxbench.report: ")
  assert message in line
  assert not (tmp_path / "page.html").exists()


def test_a_device_without_memory_is_one_line_with_the_way_out(monkeypatch, tmp_path):
  def fail(*_, **__):
    raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")

  monkeypatch.setattr(runner, "run", fail)
  _, err = call("jaxbench", *SMALL, f"--workdir={tmp_path / 'run'}", status=1)
  (line,) = err.splitlines()
  assert "Lower --config.slots" in line
