"""Looks for evaluation images in training data, and for duplicates among them.

  python -m jaxbench.overlap embed --model=MODEL --data=imagenet,imagenet-r --out=EMBEDDINGS
  python -m jaxbench.overlap duplicates --queries=EMBEDDINGS --out=OVERLAP
  python -m jaxbench.overlap search --queries=EMBEDDINGS --reference=FOLDER --out=OVERLAP
  python -m jaxbench.overlap pairs --queries=EMBEDDINGS --out=OVERLAP
  python -m jaxbench.report RUN --overlap=OVERLAP --out=report.html

MODEL is what --config.models takes, or a Python file whose get_encoder() returns a
jaxbench.overlap.Encoder, for a model trained to detect copies. The reference must come from the
same model: .npy (as LAION's img_emb) or Parquet, local or gs://. Several hosts search with
--index=0 --count=4 and so on, in one folder. Each command goes on where it was stopped.
"""

import sys
from collections.abc import Callable, Sequence

from absl import flags

from jaxbench import data, devices, errors, overlap, program
from jaxbench.storage import places

_FLAGS = flags.FlagValues()
_MODEL = flags.DEFINE_string(
  "model", None, "What makes vectors: a model, or a Python file.", flag_values=_FLAGS
)
_DOWNLOAD = flags.DEFINE_bool(
  "download", False, "Fetch a model that is not on this disk.", flag_values=_FLAGS
)
_DATA = flags.DEFINE_list("data", [], "Data sets, as --config.data names them.", flag_values=_FLAGS)
_ROOT = flags.DEFINE_string(
  "data_root", None, "Folder of the data sets; or set JAXBENCH_DATA.", flag_values=_FLAGS
)
_LIMIT = flags.DEFINE_integer(
  "limit", 0, "Examples per data set; 0 is all.", lower_bound=0, flag_values=_FLAGS
)
_OUT = flags.DEFINE_string(
  "out", None, "Folder to write to: new, or one to go on with.", flag_values=_FLAGS
)
_QUERIES = flags.DEFINE_string(
  "queries", None, "Folder that embed has written.", flag_values=_FLAGS
)
_REFERENCE = flags.DEFINE_string(
  "reference", None, "File or folder of stored vectors.", flag_values=_FLAGS
)
_NEIGHBOURS = flags.DEFINE_integer("neighbours", 4, "Kept of each example.", flag_values=_FLAGS)
_DTYPE = flags.DEFINE_string(
  "search_dtype",
  "float32",
  "Of the matrix products that look for neighbours: also float16 (GPU),"
  " bfloat16 (TPU). Similarities are in float32.",
  flag_values=_FLAGS,
)
_RECALL = flags.DEFINE_float(
  "recall",
  1.0,
  "1 is exact; below, approx_max_k with this expected recall, faster on a TPU alone.",
  flag_values=_FLAGS,
)
_INDEX = flags.DEFINE_integer("index", 0, "Of this host.", flag_values=_FLAGS)
_COUNT = flags.DEFINE_integer(
  "count", 1, "Of hosts, each with its share of the shards.", flag_values=_FLAGS
)
_PRECISION = flags.DEFINE_float(
  "precision", 0.99, "That thresholds keep on planted copies.", flag_values=_FLAGS
)
_THRESHOLD = flags.DEFINE_float(
  "threshold", None, "Of embeddings, instead of the calibrated one.", flag_values=_FLAGS
)
_SLOTS = flags.DEFINE_integer(
  "slots", 64, "Images per device and batch.", lower_bound=1, flag_values=_FLAGS
)
_WORKERS = flags.DEFINE_integer(
  "workers", 0, "Processes that decode images.", lower_bound=0, flag_values=_FLAGS
)


def _embed() -> str:
  encoder = overlap.load_encoder(_needed(_MODEL), download=_DOWNLOAD.value)
  if not _DATA.value:
    raise errors.InputError("--data is missing: name at least one data set")
  overlap.embed(
    encoder,
    _sources(_DATA.value),
    _needed(_OUT),
    limit=_LIMIT.value,
    slots=_SLOTS.value,
    workers=_WORKERS.value,
  )
  return f"embeddings: {_OUT.value}"


def _search() -> str:
  settings = overlap.Settings(_NEIGHBOURS.value, _DTYPE.value, _RECALL.value)
  left = overlap.search(
    overlap.read_embeddings(_needed(_QUERIES)),
    _needed(_REFERENCE),
    _needed(_OUT),
    settings,
    index=_INDEX.value,
    count=_COUNT.value,
  )
  if left:
    return f"{left} shards are left to other hosts; the last one writes the matches"
  exact = "exact" if settings.recall == 1 else f"approximate, expected recall {settings.recall}"
  return f"matches: {_OUT.value}/matches.parquet ({exact})"


def _duplicates() -> str:
  queries = overlap.read_embeddings(_needed(_QUERIES))
  name = _MODEL.value or queries.described["encoder"]["name"]
  results = overlap.find_duplicates(
    queries,
    overlap.load_encoder(name, download=_DOWNLOAD.value),
    _sources(queries.described["data"]),
    _needed(_OUT),
    precision=_PRECISION.value,
    slots=_SLOTS.value,
    workers=_WORKERS.value,
  )
  lines = [
    f"{detector}, {name}: threshold {'none' if limit is None else f'{limit:.4f}'}"
    for detector in ("perceptual", "embedding")
    for name, limit in results.thresholds(detector).items()
  ]
  return "\n".join([*lines, f"duplicates: {_OUT.value}"])


def _pairs() -> str:
  sources = _sources(overlap.read_embeddings(_needed(_QUERIES)).described["data"])
  return f"page: {overlap.write_pairs(_needed(_OUT), sources, _THRESHOLD.value)}"


_COMMANDS: dict[str, Callable[[], str]] = {
  "embed": _embed,
  "search": _search,
  "duplicates": _duplicates,
  "pairs": _pairs,
}


def _needed(flag: flags.FlagHolder) -> str:
  if not flag.value:
    raise errors.InputError(f"--{flag.name} is missing; see --help")
  return flag.value


def _sources(names: Sequence[str]) -> dict[str, data.Source]:
  return {name: data.load(name, _ROOT.value) for name in names}


def _do(arguments: Sequence[str]) -> int:
  if len(arguments) != 1 or arguments[0] not in _COMMANDS:
    raise errors.InputError(f"usage: python -m jaxbench.overlap {'|'.join(_COMMANDS)} --out=DIR")
  if _OUT.value:
    places.for_folder("--out", _OUT.value)
  devices.use_all_cores()
  devices.use_compilation_cache()
  print(_COMMANDS[arguments[0]]())
  return 0


def main(arguments: Sequence[str]) -> int:
  """Returns the exit status."""
  return program.run("jaxbench.overlap", __doc__, _FLAGS, _do, arguments)


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
