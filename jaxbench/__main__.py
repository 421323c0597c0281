"""Evaluates the robustness of vision-language models, as a config describes it.

python -m jaxbench --config=configs/quickstart.py --workdir=runs/quickstart

Any field of the config can be set on the command line: --config.limit=100,
--config.attacks.epsilons=2/255,4/255, --config.models=digits-clip; they are listed in
jaxbench/config/schema.py.
The same command again continues a run that was interrupted.
"""

from jaxbench.distributed import interrupt

if __name__ == "__main__":  # What follows takes seconds to import.
  interrupt.stop_at_once("jaxbench", "the same command continues the run")

import sys
from collections.abc import Sequence

import jax
from absl import app, flags
from etils import epath
from ml_collections import config_flags

from jaxbench import command_line, config, devices, errors, metrics, records, report, training
from jaxbench import plan as planning
from jaxbench.distributed import hosts
from jaxbench.evaluate import memory, runner
from jaxbench.plan import classifiers, cost, suites
from jaxbench.prompt_search import search
from jaxbench.storage import places


class _Slots(flags.IntegerParser):
  """A number, or auto."""

  def parse(self, argument: str | int) -> int:
    """A number, or AUTO."""
    return config.AUTO if argument == "auto" else super().parse(argument)


config_flags.register_flag_parser_for_type(config.Slots, _Slots())
_CONFIG = config_flags.DEFINE_config_file("config", None, "What to run: a Python file.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder for the results: new, or one to continue.")
_PLAN = flags.DEFINE_bool("plan", False, "Print what would be run and its cost; run nothing.")
_CACHE = flags.DEFINE_bool(
  "compilation_cache", True, "Keep compiled programs in ~/.cache/jaxbench."
)
_CACHE_DIR = flags.DEFINE_string(
  "compilation_cache_dir", None, "Keep them there, to share; only folders that you trust."
)
_WORKERS = flags.DEFINE_integer(
  "workers",
  None,
  "Processes that decode images; 0 is threads of the main one. Default: one per 16 cores.",
  lower_bound=0,
)
_HOST = flags.DEFINE_string(
  "host", None, "INDEX/COUNT of this process; by default SLURM, a job array or a TPU slice tells."
)
_JOIN = flags.DEFINE_string(
  "join", None, "Join jax.distributed: HOST:PORT of host 0, or auto on a TPU slice. Not needed."
)
_IMAGES = flags.DEFINE_string(
  "cache", None, "Folder for decoded images, shared by runs; its size is told before it is filled."
)
_PROFILE = flags.DEFINE_string(
  "profile", None, "Folder for the profiler's trace of one block: the second of a data set."
)
_MOST_DOUBTS = 10  # On the console.


def main(arguments: Sequence[str]) -> int:
  """Runs what the flags say; returns the exit status."""
  try:
    _run(arguments)
  except errors.InputError as error:
    print(f"jaxbench: {error}", file=sys.stderr)
    return 2
  except interrupt.Interrupted as signal:
    print(signal.message, file=sys.stderr)
    return signal.exit_status
  except OSError as error:  # A full disk, most often; parts are whole or absent.
    print(f"jaxbench: {error}; mend it, then the same command continues the run", file=sys.stderr)
    return 1
  except jax.errors.JaxRuntimeError as error:
    if not memory.is_exhausted(error):
      raise
    print(
      "jaxbench: a device's memory is full; what was written stays good. Lower --config.slots, or "
      "name smaller models",
      file=sys.stderr,
    )
    return 1
  return 0


def _run(arguments: Sequence[str]) -> None:
  if len(arguments) > 1:
    raise errors.InputError(f"unexpected argument {arguments[1]!r}; see --help")
  settings = _settings()
  if _WORKDIR.value is None and not _PLAN.value:
    raise errors.InputError("--workdir is missing: name a folder for the results")
  for flag in (_WORKDIR, _CACHE_DIR, _IMAGES, _PROFILE):
    if flag.value:
      places.for_folder(f"--{flag.name}", flag.value)
  host = hosts.find(_HOST.value)
  devices.use_all_cores()
  if _JOIN.value is None:
    hosts.separate(host, hosts.chips())
  else:
    hosts.join(_JOIN.value, host)
  if _CACHE.value:
    devices.use_compilation_cache(_CACHE_DIR.value)
  if isinstance(settings, config.Config):
    _evaluate(config.checked(settings), _WORKDIR.value, host)
  elif _PLAN.value:
    raise errors.InputError("--plan is for evaluations; this config trains or searches")
  elif host.count > 1:
    raise errors.InputError("several hosts share evaluations; run this config on one: --host=0/1")
  elif isinstance(settings, config.Training):
    training.run(settings, epath.Path(_WORKDIR.value))
  else:
    _search(config.checked_search(settings), epath.Path(_WORKDIR.value), host)


def _search(settings: config.PromptSearch, workdir: epath.Path, host: hosts.Host) -> None:
  search.run(settings, workdir)
  if settings.held_out:
    evaluation = search.evaluation(settings, workdir)
    _evaluate(config.checked(evaluation), workdir / "held_out", host)


def _evaluate(settings: config.Config, workdir: epath.PathLike, host: hosts.Host) -> None:
  plan = planning.make(settings, read=not _PLAN.value)
  suites.require(settings, plan.cells, plan.absent)
  if _PLAN.value:
    print(*cost.lines(plan), sep="\n")
    return
  if not plan.cells:
    raise errors.InputError(f"nothing can be run. {'; '.join(suites.lines(plan.absent))}")
  for line in suites.lines(plan.absent):
    print(f"jaxbench: cannot be run: {line}", file=sys.stderr)
  workers = devices.cores() // 16 if _WORKERS.value is None else _WORKERS.value
  runner.run(settings, plan, workdir, workers, _IMAGES.value or None, host, _PROFILE.value or None)
  if host.index:
    print(f"host {host.index} of {host.count} is done; host 0 writes the report")
    return
  _tell(plan, workdir)
  absent = [classifiers.Absent(**one) for one in records.load_run(workdir)["absent"]]
  given_up = {one.what for one in absent}
  suites.require(settings, [cell for cell in plan.cells if cell.id not in given_up], absent)


def _tell(plan: planning.Plan, workdir: epath.PathLike) -> None:
  """Writes the report, and prints what matters most."""
  page = epath.Path(workdir) / "report.html"
  (summary,) = report.write([workdir], page)
  run = records.load_run(workdir)
  print(metrics.overview(summary))
  print(*(f"{sentence}\n" for sentence in planning.native(plan)), sep="", end="")
  shifts = metrics.summarize_shifts(summary)
  if text := metrics.overview_shifts(shifts):
    print(f"\n{text}\n")
  tables = (shifts.to_pylist(), summary.to_pylist())
  if differs := report.unlike_models(*tables, run):
    print(f"not as the published models that accuracy is expected from: {differs}\n")
  doubts = report.doubtful(workdir)
  print(*(f"doubtful: {line}\n" for line in doubts[:_MOST_DOUBTS]), sep="", end="")
  if len(doubts) > _MOST_DOUBTS:
    print(f"{len(doubts) - _MOST_DOUBTS} more reasons for doubt; the report has them all")
  for line in suites.lines(classifiers.Absent(**one) for one in run["absent"]):
    print(f"absent: {line}")
  print(f"report: {page}")


def _settings() -> config.Config | config.Training | config.PromptSearch:
  """The config, if it can be had."""
  settings = _CONFIG.value
  if settings is None:
    raise errors.InputError("--config is missing: name a file of configs/, or your own")
  if not isinstance(settings, (config.Config, config.Training, config.PromptSearch)):
    try:
      settings.models  # noqa: B018 -- ml_collections reports a missing file when it is first read.
    except OSError as error:
      raise errors.InputError(f"--config: {command_line.last_line(error)}") from error
    except AttributeError:
      pass
    raise errors.InputError("--config: get_config() must return a jaxbench.config.Config")
  return settings


if __name__ == "__main__":
  app.run(main, flags_parser=command_line.parse)
