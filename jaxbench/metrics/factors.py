"""ImageNet-X: how accuracy depends on what is unusual about a validation image (arXiv:2211.01866).

Idrissi et al. (2022) have people say what sets each image of ImageNet's validation set apart from
typical ones of its class: pose, background, partial view, and thirteen more.
"""

import csv
import json
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from etils import epath

from jaxbench import errors, records
from jaxbench.metrics.accuracy import proportion
from jaxbench.metrics.summary import is_correct

FACTORS = (
  *("pose", "background", "pattern", "color", "smaller", "shape", "partial_view", "subcategory"),
  *("texture", "larger", "darker", "object_blocking", "person_blocking", "style", "brighter"),
  "multiple_objects",
)
_PROTOTYPES = "prototypical_paths.csv"
_DATA = "imagenet"
_CELL = ("cell", "model", "prompts", "perturbation", "severity", "epsilon")
_COLUMNS = [*_CELL, "data", "example", "label", "labels", "prediction", "target", "success"]


def read_factors(file: epath.PathLike) -> dict[str, frozenset[str]]:
  """The factors of each image, by its name, from a file of the package imagenet-x.

  Args:
    file: `imagenet_x_val_top_factor.jsonl`, the one factor that matters most, which the paper's
      figures are of, or `imagenet_x_val_multi_factor.jsonl`. Where `prototypical_paths.csv` lies
      beside it, those images are left out, as the paper does.

  Raises:
    InputError: it cannot be read, or is no such file.
  """
  place = epath.Path(file)
  try:
    lines = [json.loads(line) for line in place.read_text().splitlines()]
    found = {
      line["file_name"]: frozenset(factor for factor in FACTORS if line[factor]) for line in lines
    }
    beside = place.parent / _PROTOTYPES
    table = beside.read_text().splitlines() if beside.exists() else []
    prototypes = {row["file_name"] for row in csv.DictReader(table)}
  except (OSError, ValueError, LookupError, TypeError) as error:
    raise errors.InputError(
      f"{file} is no file of ImageNet-X, as imagenet_x_val_top_factor.jsonl: {errors.reason(error)}"
    ) from error
  return {name: factors for name, factors in found.items() if name not in prototypes}


def summarize_factors(rows: pa.Table, factors: Mapping[str, frozenset[str]]) -> pa.Table:
  """The accuracy on the validation images of each factor, in each cell.

  Args:
    rows: of `records.read`.
    factors: of `read_factors`.

  Returns:
    for each cell on `imagenet` and each factor that some of its images have: the cell's columns,
    `factor`, `examples`, `accuracy` with `accuracy_low` and `accuracy_high`, and `error_ratio`, the
    share of errors there over that on all images that were looked at; None where there are none.
  """
  some = rows.select(_COLUMNS).filter(pc.equal(rows["data"], _DATA))
  lines = []
  for table in records.by_cell(some).values():
    cell = {name: table[name][0].as_py() for name in _CELL}
    hits = zip(table["example"].to_pylist(), is_correct(table).to_pylist(), strict=True)
    known = [(factors[name], hit) for name, hit in hits if name in factors]
    wrong = sum(not hit for _, hit in known) / max(len(known), 1)
    for factor in FACTORS:
      right = [hit for its, hit in known if factor in its]
      if right:
        share = proportion(sum(right), len(right))
        ratio = (1 - share.value) / wrong if wrong else None
        figures = {"accuracy": share.value, "accuracy_low": share.low, "accuracy_high": share.high}
        lines.append(
          cell | {"factor": factor, "examples": len(right)} | figures | {"error_ratio": ratio}
        )
  return pa.Table.from_pylist(lines, _SCHEMA)


_SCHEMA = pa.schema(
  [
    *((name, pa.string()) for name in ("cell", "model", "prompts", "perturbation")),
    ("severity", pa.int32()),
    ("epsilon", pa.float64()),
    ("factor", pa.string()),
    ("examples", pa.int64()),
    *((name, pa.float64()) for name in ("accuracy", "accuracy_low", "accuracy_high")),
    ("error_ratio", pa.float64()),
  ]
)
