"""Runs what a config describes: an evaluation with its report, a training, a search for prompts."""

import runpy
import shutil
import sys
from typing import NamedTuple

import jax
import pyarrow as pa
from etils import epath

from jaxbench import config, devices, errors, metrics, plan, records, report, training
from jaxbench.distributed import hosts
from jaxbench.evaluate import memory, runner
from jaxbench.plan import classifiers, cost, suites
from jaxbench.prompt_search import search
from jaxbench.storage import places

_MOST_DOUBTS = 10  # On the console.


class Options(NamedTuple):
  """The flags of the command line besides the config; `jaxbench --help` says what each does."""

  workdir: str | None
  plan: bool
  compilation_cache: bool
  compilation_cache_dir: str | None
  workers: int | None
  host: str | None
  join: str | None
  cache: str | None
  profile: str | None
  quiet: bool
  json: bool


def run(settings: config.Config | config.Training | config.PromptSearch, options: Options) -> None:
  """Runs it to its end, or says what it would be and would cost.

  Raises:
    InputError: the config or an option asks for what there is not.
    Interrupted: it was asked to stop.
    DeviceMemoryFull: the slots do not fit.
    OSError: a result could not be written.
  """
  try:
    _run(settings, options)
  except jax.errors.JaxRuntimeError as error:
    if not memory.is_exhausted(error):
      raise
    raise errors.DeviceMemoryFull from error


def _run(settings: config.Config | config.Training | config.PromptSearch, options: Options) -> None:
  if not (options.workdir or options.plan):
    raise errors.InputError("--workdir is missing: name a folder for the results")
  for name in ("workdir", "compilation_cache_dir", "cache", "profile"):
    if folder := getattr(options, name):
      places.for_folder(f"--{name}", folder)
  host = hosts.find(options.host)
  devices.use_all_cores()
  if options.join is None:
    hosts.separate(host, hosts.chips())
  else:
    hosts.join(options.join, host)
  if options.compilation_cache:
    devices.use_compilation_cache(options.compilation_cache_dir)
  if isinstance(settings, config.Config):
    _evaluate(config.checked(settings), options, host)
  elif options.plan:
    raise errors.InputError("--plan is for evaluations; this config trains or searches")
  elif host.count > 1:
    raise errors.InputError("several hosts share evaluations; run this config on one: --host=0/1")
  elif isinstance(settings, config.Training):
    training.run(config.checked_training(settings), epath.Path(options.workdir))
  else:
    _search(config.checked_search(settings), options, host)


def _search(settings: config.PromptSearch, options: Options, host: hosts.Host) -> None:
  workdir = epath.Path(options.workdir)
  search.run(settings, workdir)
  if settings.held_out:
    evaluation = config.checked(search.evaluation(settings, workdir))
    _evaluate(evaluation, options._replace(workdir=str(workdir / "held_out")), host)


def _evaluate(settings: config.Config, options: Options, host: hosts.Host) -> None:
  planned = plan.make(settings, read=not options.plan)
  if options.plan:
    suites.require(settings, planned.cells, planned.absent)
    print(*cost.lines(planned), sep="\n")
    return
  suites.begin(settings, planned)
  workdir = epath.Path(options.workdir)
  workers = devices.cores() // 16 if options.workers is None else options.workers
  cache, profile = options.cache or None, options.profile or None
  runner.run(settings, planned, workdir, workers, cache, host, profile, quiet=options.quiet)
  if host.index:
    print(f"host {host.index} of {host.count} is done; host 0 writes the report")
    return
  absent = [classifiers.Absent(**entry) for entry in records.load_run(workdir)["absent"]]
  (summary,) = report.write([workdir], workdir / "report.html")
  if options.json:
    print((workdir / "report.json").read_text())
  elif not options.quiet:
    _tell(planned, workdir, summary, absent)
  given_up = {entry.what for entry in absent}
  suites.require(settings, [cell for cell in planned.cells if cell.id not in given_up], absent)


def _tell(
  planned: plan.Plan,
  workdir: epath.Path,
  summary: pa.Table,
  absent: list[classifiers.Absent],
) -> None:
  """Prints what matters most."""
  run = records.load_run(workdir)
  metric = {name: known.get("metric", "") for name, known in run["data"].items()}
  # Of a terminal; a file has lines of any length.
  width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
  print(metrics.overview(summary, metric, width))
  print(*(f"{sentence}\n" for sentence in plan.native(planned)), sep="", end="")
  shifts = metrics.summarize_shifts(summary)
  if text := metrics.overview_shifts(shifts):
    print(f"\n{text}\n")
  if text := metrics.overview_averages(metrics.averages(summary, metric), run["published"]):
    print(f"\n{text}\n")
  if metrics.OUTLIERS.keys() & run["data"].keys():
    rows = records.read(workdir, metrics.OUTLIER_COLUMNS)
    print(f"\n{metrics.overview_outliers(metrics.summarize_outliers(rows))}\n")
  tables = (shifts.to_pylist(), summary.to_pylist())
  if any(known["metric"] == metrics.RECALL for known in run["data"].values()):
    found = metrics.recalls(records.read(workdir, metrics.RECALL_COLUMNS))
    print(f"\n{metrics.overview_recalls(found)}\n")
  if differs := report.unlike_models(*tables, run):
    print(f"not as the published models that accuracy is expected from: {differs}\n")
  doubts = report.doubtful(workdir)
  print(*(f"doubtful: {line}\n" for line in doubts[:_MOST_DOUBTS]), sep="", end="")
  if len(doubts) > _MOST_DOUBTS:
    print(f"{len(doubts) - _MOST_DOUBTS} more reasons for doubt; the report has them all")
  for line in suites.lines(absent):
    print(f"absent: {line}")
  print(f"report: {workdir / 'report.html'}")


if __name__ == "__main__":
  sys.argv[1:1] = ["run"]
  runpy.run_module("jaxbench", run_name="__main__", alter_sys=True)
