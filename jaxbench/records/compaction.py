"""The parts of a finished block become one: a run of months would have thousands of them.

What replaces parts is written, whole, before they go. A reader that sees both reads each row once;
one that looked before, and misses a part, looks again. Two hosts that compact the same block leave
two parts with the same rows at worst.
"""

import uuid

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from etils import epath

from jaxbench.records import arrays, parts, schema
from jaxbench.storage import atomic, damage


def compact(workdir: epath.Path, data: str, block: int) -> None:
  """Makes one part of all that a block has; leaves them alone if one is damaged, or has gone.

  Args:
    workdir: of the run.
    data: name of the data set.
    block: its number.

  Raises:
    OSError: the new part cannot be written, or an old one not removed; no row is lost.
  """
  old = parts.files(workdir, parts.prefix(data, block))
  if len(old) < 2:
    return
  try:
    tables = [parts.read(file, schema.SCHEMA.names) for file in old]
  except (damage.Damaged, FileNotFoundError):  # Who continues the run looks into it.
    return
  # Under a name that was never there: a host that stood still may yet remove what it has seen.
  rows = _once(pa.concat_tables(tables)).replace_schema_metadata({"compacted": uuid.uuid4().hex})
  parts.write(workdir, data, block, rows)
  for file in old:
    atomic.remove(file)


def _once(rows: pa.Table) -> pa.Table:
  """Each row once, sorted by cell and example; of an image that one host could read, both."""
  failed = pc.is_valid(rows["error"]).to_numpy()
  names = [arrays.ranks(arrays.encoded(rows[key])) for key in ("example", "cell")]
  order = arrays.distinct([failed.astype(np.int32), *names])
  return rows.unify_dictionaries().take(order)
