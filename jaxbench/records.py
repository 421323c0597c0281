"""Per-example results: one row per example and cell, in Parquet parts that appear whole or not.

A run's folder holds `run.json` (what was asked), `sessions/*.json` (where it ran, a file for each
process) and `records/*.parquet`. A part holds rows of one block of examples; a killed run goes on
with whatever parts there are.
"""

import collections
import io
import itertools
import json
import urllib.parse
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from etils import epath

from jaxbench import errors, whole

_NAME = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
  [
    pa.field("cell", _NAME, nullable=False),  # Id: names and a hash of all that matters.
    pa.field("model", _NAME, nullable=False),
    pa.field("data", _NAME, nullable=False),
    pa.field("prompts", _NAME),  # Null for supervised models.
    pa.field("perturbation", _NAME, nullable=False),  # "clean", a corruption, or an attack's spec.
    pa.field("severity", pa.int32()),  # Of a corruption.
    pa.field("epsilon", pa.float64()),  # Of an attack; the largest one of a bisection.
    pa.field("tolerance", pa.float64()),  # Of a bisection for the smallest epsilon.
    pa.field("example", pa.string(), nullable=False),  # Id within the data set.
    pa.field("label", pa.int32(), nullable=False),
    pa.field("clean_prediction", pa.int32(), nullable=False),
    # Of the perturbed image; of a sequence of frames, its last one.
    pa.field("prediction", pa.int32(), nullable=False),
    # Sequences of frames: share of pairs whose predictions differ, and their top-5 distance.
    pa.field("flips", pa.float32()),
    pa.field("top5_distance", pa.float32()),
    # The class whose name is on the image or, of cue-conflict, whose texture.
    pa.field("target", pa.int32()),
    pa.field("labels", pa.list_(pa.int32())),  # All that are right, where there are several.
    pa.field("anchor", pa.string()),  # Videos: id of the frame of which this is a neighbour.
    pa.field("offset", pa.int32()),  # Videos: frames from the anchor, 0 for itself.
    # Classes that the model puts before the label; null under attack, and of sequences.
    pa.field("rank", pa.int32()),
    pa.field("confidence", pa.float32()),  # Softmax probability of the prediction; likewise.
    pa.field("success", pa.bool_()),  # Attacks: misclassified, inside the ball and [0, 1].
    # Attacks: which of a cascade succeeded; null if none had to, and for transfer.
    pa.field("found_by", _NAME),
    # Attacks: size of the perturbation in the attack's norm. A bisection looked for the smallest,
    # which is infinite where nothing fooled.
    pa.field("distance", pa.float32()),
    pa.field("steps", pa.int32()),  # Attacks.
    # Passes on this example, of the model and, for transfer, of its surrogate.
    pa.field("forwards", pa.int32(), nullable=False),
    pa.field("backwards", pa.int32(), nullable=False),
    # Why the image cannot be read. Such a row has no verdict, and `read` leaves it out.
    pa.field("error", pa.string()),
    pa.field("picture", pa.binary()),  # PNG of what `prediction` is of, 8 bits, for the first.
  ]
)


def table(cell: Mapping[str, Any], columns: Mapping[str, Any]) -> pa.Table:
  """Rows of one cell: `cell` holds what they share, `columns` arrays; the rest is null."""
  rows = len(columns["example"])
  arrays = []
  for field in SCHEMA:
    if field.name in columns:
      arrays.append(pa.array(columns[field.name], field.type))
    else:
      repeated = pa.repeat(pa.scalar(cell.get(field.name), _plain(field.type)), rows)
      arrays.append(repeated.cast(field.type))
  return pa.Table.from_arrays(arrays, schema=SCHEMA)


def read(workdir: epath.PathLike, columns: Iterable[str] | None = None) -> pa.Table:
  """All rows of a run but those of `unreadable` images, sorted by cell and example.

  A row that two hosts have written, since one seemed dead, is there once.

  Args:
    workdir: the run's folder.
    columns: names of `SCHEMA` to read; all by default. "picture" is the only large one.

  Raises:
    InputError: the folder holds no records.

  Example:
    >>> rows = records.read("runs/quickstart")
    >>> rows.group_by(["model", "perturbation"]).aggregate([("prediction", "count")])
  """
  names = SCHEMA.names if columns is None else list(columns)
  parts = [_open(part) for part in _some_parts(workdir)]
  readable = [pc.is_null(part.read(["error"], use_threads=False)["error"]) for part in parts]
  # Column by column, the pictures first, so that little is there twice: rows may fill the memory.
  keys = [_ranks(_column(parts, key, readable)) for key in ("example", "cell")]
  order = pa.array(_distinct(np.lexsort(keys), keys))
  arrays = {}
  for name in sorted(names, key=lambda name: name != "picture"):
    column = _column(parts, name, readable).take(order)
    arrays[name] = _in_order_of_appearance(column, SCHEMA.field(name).type)
  return pa.Table.from_arrays([arrays[name] for name in names], schema=_fields(names))


def _distinct(order: np.ndarray, keys: list[np.ndarray]) -> np.ndarray:
  """Of the rows that agree in `keys`, by which `order` sorts them, the first: hosts may repeat."""
  first = np.ones(len(order), bool)
  first[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
  return order[first]


def read_finished(workdir: epath.PathLike, columns: Iterable[str] | None = None) -> pa.Table:
  """All rows but those of cells that had to be given up half way; see `read`.

  "cell" is among the columns.

  Raises:
    InputError: the folder holds no run or no records.
  """
  rows = read(workdir, columns)
  for absent in load_run(workdir)["absent"]:
    lost = is_value(rows["cell"], absent["what"])
    if pc.any(lost).as_py():
      rows = rows.filter(pc.invert(lost))
  return rows


def by_cell(rows: pa.Table) -> dict[str, pa.Table]:
  """The rows of each cell, by its id; where they stand together, as `read` has them, no copies."""
  if not len(rows):
    return {}
  encoded = _encoded(rows["cell"])
  codes = encoded.indices.to_numpy()
  starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
  if len(starts) > len(np.unique(codes[starts])):
    rows = rows.take(np.argsort(codes, kind="stable"))
    return by_cell(rows)
  names = encoded.dictionary.take(pa.array(codes[starts])).to_pylist()
  ends = np.append(starts[1:], len(rows))
  return {
    name: rows.slice(start, end - start)
    for name, start, end in zip(names, starts.tolist(), ends.tolist(), strict=True)
  }


def is_value(column: pa.ChunkedArray, value: str | None) -> pa.Array:
  """Which rows have a value in a column of names, by its dictionary; None: which have none."""
  encoded = _encoded(column)
  if value is None:
    return pc.is_null(encoded)
  code = pc.index(encoded.dictionary, value).as_py()  # -1, which no row has, if it is not there.
  return pc.fill_null(pc.equal(encoded.indices, code), False)


def unreadable(workdir: epath.PathLike) -> pa.Table:
  """The examples whose images could not be read: `data`, `example`, `label` and `error`, sorted.

  They are in every cell of their data set, and count in none.

  Raises:
    InputError: the folder holds no records.
  """
  names = ["data", "example", "label", "error"]
  parts = [_read_part(part, names) for part in _some_parts(workdir)]
  rows = pa.concat_tables([rows.filter(pc.is_valid(rows["error"])) for rows in parts])
  rows = rows.cast(pa.schema([field.with_type(_plain(field.type)) for field in _fields(names)]))
  # Models of several preprocessings may fail on an image with different words.
  keys = [("data", "ascending"), ("example", "ascending"), ("error", "ascending")]
  rows = rows.sort_by(keys).group_by(["data", "example"], use_threads=False)
  return rows.aggregate([("label", "first"), ("error", "first")]).rename_columns(names)


def _some_parts(workdir: epath.PathLike) -> list[epath.Path]:
  parts = _parts(epath.Path(workdir))
  if not parts:
    raise errors.InputError(f"{workdir}: no records there; is it the --workdir of a run?")
  return parts


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
  """In one piece, with one dictionary."""
  if not pa.types.is_dictionary(column.type):
    column = column.dictionary_encode()
  joined = column.unify_dictionaries().combine_chunks()
  return joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined


def _ranks(encoded: pa.DictionaryArray) -> np.ndarray:
  """Numbers [N] that sort as the names do."""
  ranks = np.empty(len(encoded.dictionary), np.int32)
  ranks[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(ranks), dtype=np.int32)
  return ranks[encoded.indices.to_numpy()]


def _in_order_of_appearance(column: pa.Array, kind: pa.DataType) -> pa.Array:
  """With a dictionary that only the rows decide, not how they came together."""
  if not pa.types.is_dictionary(kind):
    return column.cast(kind)
  seen = column.indices.unique().drop_null()
  places = np.zeros(len(column.dictionary), np.int32)
  places[seen.to_numpy()] = np.arange(len(seen), dtype=np.int32)
  indices = pa.array(places).take(column.indices)
  return pa.DictionaryArray.from_arrays(indices, column.dictionary.take(seen))


def _parts(workdir: epath.Path, start: str = "") -> list[epath.Path]:
  folder = workdir / "records"
  names = whole.listing(folder)
  return [folder / name for name in sorted(names) if _is_part(name) and name.startswith(start)]


def _is_part(name: str) -> bool:
  return name.endswith(".parquet") and not name.startswith(".")


def _fields(names: Iterable[str]) -> pa.Schema:
  return pa.schema([SCHEMA.field(name) for name in names])


def _read_part(part: epath.Path, columns: list[str]) -> pa.Table:
  return _open(part).read(columns, use_threads=False).cast(_fields(columns))


def _open(part: epath.Path) -> pq.ParquetFile:
  """Of ids there are few, so that they have a dictionary too."""
  # Not `read_table`: its threads may outlive the call, and abort a process that ends meanwhile
  # (https://github.com/apache/arrow/issues/34314).
  return pq.ParquetFile(pa.BufferReader(whole.read(part)), read_dictionary=["example"])


def _column(parts: list[pq.ParquetFile], name: str, kept: list[pa.ChunkedArray]) -> pa.Array:
  """One column of all parts, in one piece: the rows that are `kept` of each."""
  kind = _NAME if name == "example" else SCHEMA.field(name).type
  columns = [part.read([name], use_threads=False)[name].cast(kind) for part in parts]
  pieces = [
    column if pc.all(mask).as_py() else column.filter(mask)
    for column, mask in zip(columns, kept, strict=True)
  ]
  joined = pa.chunked_array([chunk for piece in pieces for chunk in piece.chunks], kind)
  if pa.types.is_dictionary(kind):
    return _encoded(joined)
  combined = joined.combine_chunks()
  return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def _plain(kind: pa.DataType) -> pa.DataType:
  return kind.value_type if pa.types.is_dictionary(kind) else kind


class Store:
  """The folder of one run.

  Raises:
    InputError: the folder belongs to another configuration or to something else, or cannot be
      written; nothing in it is touched.
  """

  def __init__(self, workdir: epath.PathLike, run: Mapping[str, Any]):
    self.workdir = epath.Path(workdir)
    try:
      self.run = self._open(run)
    except OSError as error:
      reason = error.strerror or error
      raise errors.InputError(f"--workdir={workdir} cannot be used: {reason}") from error

  def _open(self, run: Mapping[str, Any]) -> dict[str, Any]:
    file = self.workdir / "run.json"
    if whole.read(file) is None:
      self._begin(run)
    found = json.loads(whole.read(file) or b"{}")
    asked = json.loads(json.dumps(run["identity"]))  # As JSON would give it back.
    if differences := list(_differences(_as_far(found["identity"], asked), asked)):
      raise errors.InputError(
        f"--workdir={self.workdir} belongs to another configuration: {'; '.join(differences[:3])}. "
        "Name another --workdir, or ask for the same again to continue it"
      )
    for name in ("records", "sessions"):
      (self.workdir / name).mkdir(parents=True, exist_ok=True)
    return found

  def _begin(self, run: Mapping[str, Any]) -> None:
    """Makes a folder a run's; other hosts may be doing the same."""
    if self.workdir.exists() and any(map(_is_foreign, self.workdir.iterdir())):
      raise errors.InputError(f"--workdir={self.workdir} holds something else; name a new folder")
    self.workdir.mkdir(parents=True, exist_ok=True)
    self.save({**run, "sessions": []})

  def save(self, run: Mapping[str, Any]) -> None:
    """Replaces run.json."""
    self.run = dict(run)
    whole.write(self.workdir / "run.json", _json(self.run))

  def tell(self, described: Mapping[str, Any]) -> None:
    """Brings parts of run.json up to date, where they are not."""
    known = json.loads(_json(dict(described)))
    if any(self.run.get(name) != value for name, value in known.items()):
      self.save(self.run | known)

  def save_session(self, name: str, session: Mapping[str, Any]) -> None:
    """Replaces what one process says of itself, of what it gave up, and of its warnings."""
    whole.write(self.workdir / "sessions" / f"{name}.json", _json(session))

  def retry(self, over: Callable[[str], bool]) -> None:
    """Forgets what sessions gave up that are over; it is tried again."""
    for name, session in _sessions(self.workdir).items():
      if session.get("absent") and over(name):
        self.save_session(name, {**session, "absent": []})

  def done(self, data: str = "", block: int | None = None) -> dict[tuple[str, str, int], set[str]]:
    """Examples that have a row already, by cell, data set and block; of one block, if it is named.

    Looks into the folder each time: other hosts may have written there.
    """
    start = "" if block is None else _start(data, block)
    result: dict[tuple[str, str, int], set[str]] = collections.defaultdict(set)
    for part in _parts(self.workdir, start):
      quoted, number = part.stem.rsplit("-", 2)[:2]
      name = urllib.parse.unquote(quoted)
      rows = _read_part(part, ["cell", "example"])
      for cell, example in zip(rows["cell"].to_pylist(), rows["example"].to_pylist(), strict=True):
        result[cell, name, int(number)].add(example)
    return result

  def unreadable(self, data: str) -> list[str]:
    """Ids of the examples of a data set that are known to be unreadable."""
    if not _parts(self.workdir):
      return []
    rows = unreadable(self.workdir)
    return rows.filter(pc.equal(rows["data"], data))["example"].to_pylist()

  def write(self, data: str, block: int, tables: list[pa.Table]) -> None:
    """Writes rows of one block as one part."""
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables(tables).unify_dictionaries(), buffer, compression="zstd")
    name = f"{_start(data, block)}{uuid.uuid4().hex[:12]}.parquet"
    whole.write(self.workdir / "records" / name, buffer.getvalue())


def _start(data: str, block: int) -> str:
  """How the names of all parts of a block begin."""
  return f"{urllib.parse.quote(data, safe='')}-{block:06d}-"


def _is_foreign(file: epath.Path) -> bool:
  """Whether it is anything but a run.json that another host is writing."""
  return not file.name.startswith(".run.json.")


def _json(content: Mapping[str, Any]) -> bytes:
  return json.dumps(content, indent=1).encode()


def _sessions(workdir: epath.Path) -> dict[str, dict[str, Any]]:
  """By name, in the order in which they began."""
  folder = workdir / "sessions"
  names = [name for name in whole.listing(folder) if name.endswith(".json")]
  found = {
    name.removesuffix(".json"): json.loads(content)
    for name in sorted(names)
    if not name.startswith(".") and (content := whole.read(folder / name))
  }
  return dict(sorted(found.items(), key=lambda item: item[1]["started"]))


def load_run(workdir: epath.PathLike) -> dict[str, Any]:
  """What `run.json` and all sessions say of a run.

  Raises:
    InputError: there is none.
  """
  content = whole.read(epath.Path(workdir) / "run.json")
  if content is None:
    raise errors.InputError(f"{workdir}: not the --workdir of a run (no run.json)")
  run = json.loads(content)
  found = _sessions(epath.Path(workdir))
  sessions: list[dict[str, Any]] = [one | {"name": name} for name, one in found.items()]
  for name in ("absent", "warnings"):
    told = [*run.get(name, []), *itertools.chain(*(one.pop(name, []) for one in sessions))]
    run[name] = [one for place, one in enumerate(told) if one not in told[:place]]
  return run | {"sessions": [*run["sessions"], *sessions]}


def _as_far(there: dict[str, Any], here: dict[str, Any]) -> dict[str, Any]:
  """`there` with what has been found since: data sets and models that were not on the disk."""
  parts = ("models", "data", "examples", "perturbations")
  found = {name: here[name] | there[name] for name in parts if name in there and name in here}
  return there | found


def _differences(there: Any, here: Any, name: str = "") -> Iterable[str]:
  """Fields that differ, by their dotted names."""
  if isinstance(there, dict) and isinstance(here, dict):
    for key in {**there, **here}:
      yield from _differences(there.get(key), here.get(key), f"{name}.{key}" if name else key)
  elif there != here:
    yield f"{name} is {_brief(there)} there and {_brief(here)} here"


def _brief(value: Any) -> str:
  text = json.dumps(value)
  return text if len(text) <= 80 else f"{text[:77]}..."
