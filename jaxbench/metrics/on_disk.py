"""ImageNet-C as it was published: there each corruption and severity is a data set of its own."""

import pyarrow as pa
import pyarrow.compute as pc

PART = r"^imagenet-c/(?P<corruption>\w+)/(?P<severity>\d)$"  # Names of the data sets.


def corrupted_on_disk(rows: pa.Table) -> pa.Table:
  """Rows as if the published images of ImageNet-C had been made in the run.

  Their JPEG quality and size differ from what is made in a run, and so do accuracies, by points:
  one table holds the one or the other.

  Args:
    rows: of `records.read`, on data sets like "imagenet-c/fog/3" and, for the clean images,
      "imagenet".

  Returns:
    those rows of the data set "imagenet-c", with `perturbation` and `severity`.

  Example:
    >>> rows = metrics.corrupted_on_disk(records.read("runs/imagenet_c"))
    >>> correct = metrics.correct_by_cell(rows, model, prompts, "imagenet-c")
    >>> metrics.corruption_errors(correct, reference=metrics.alexnet())
  """
  plain = pc.equal(rows["perturbation"].cast(pa.string()), "clean")
  names = rows["data"].cast(pa.string())
  parts = pc.extract_regex(names, PART)
  wanted = pc.and_(plain, pc.or_(pc.is_valid(parts), pc.equal(names, "imagenet")))
  kept, parts = rows.filter(wanted), parts.filter(wanted)
  changed = {
    "data": pa.repeat("imagenet-c", len(kept)),
    "perturbation": pc.fill_null(pc.struct_field(parts, "corruption"), "clean"),
    "severity": pc.struct_field(parts, "severity"),
  }
  for name, column in changed.items():
    field = kept.schema.field(name)
    kept = kept.set_column(kept.schema.get_field_index(name), field, column.cast(field.type))
  return kept
