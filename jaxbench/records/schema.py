"""The columns of a run's rows."""

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

NAME = pa.dictionary(pa.int32(), pa.string())

SCHEMA = pa.schema(
  [
    pa.field("cell", NAME, nullable=False),  # Id: names and a hash of all that matters.
    pa.field("model", NAME, nullable=False),
    pa.field("data", NAME, nullable=False),
    pa.field("prompts", NAME),  # Null for supervised models.
    pa.field("perturbation", NAME, nullable=False),  # "clean", a corruption, or an attack's spec.
    pa.field("severity", pa.int32()),  # Of a corruption.
    pa.field("epsilon", pa.float64()),  # Of an attack; the largest one of a bisection.
    pa.field("tolerance", pa.float64()),  # Of a bisection for the smallest epsilon.
    pa.field("example", pa.string(), nullable=False),  # Id within the data set.
    pa.field("label", pa.int32(), nullable=False),
    pa.field("clean_prediction", pa.int32(), nullable=False),
    # Of the perturbed image; of a sequence of frames, its last one. Here as there, -1 where a logit
    # is not finite.
    pa.field("prediction", pa.int32(), nullable=False),
    # Sequences of frames: share of pairs whose predictions differ, and their top-5 distance.
    pa.field("flips", pa.float32()),
    pa.field("top5_distance", pa.float32()),
    # The class whose name is on the image or, of cue-conflict, whose texture; or that a targeted
    # attack aims at.
    pa.field("target", pa.int32()),
    pa.field("labels", pa.list_(pa.int32())),  # All that are right, where there are several.
    pa.field("anchor", pa.string()),  # Videos: id of the frame of which this is a neighbour.
    pa.field("offset", pa.int32()),  # Videos: frames from the anchor, 0 for itself.
    # Of sets of images with captions: "image_to_text" or, where the example is a caption,
    # "text_to_image". Label and prediction are images, by their place among the sorted ids.
    pa.field("direction", NAME),
    # Classes that the model puts before the label; null under attack, and of sequences. Of images
    # with captions: captions of other images before the best own one, or images before a caption's;
    # also under attack, but not bisected against a transfer.
    pa.field("rank", pa.int32()),
    pa.field("tied", pa.int32()),  # Of such sets: how many others are as similar as that.
    # Of such sets, and of probes: by how much the best of others, or of wrong options, leads the
    # best own one, as a difference of cosines; infinite where a logit is no number.
    pa.field("margin", pa.float32()),
    pa.field("confidence", pa.float32()),  # Softmax probability of the prediction; likewise.
    # All logits [K], of sets of which a figure needs them; likewise.
    pa.field("scores", pa.list_(pa.float32())),
    # Of a randomised model: the share of its evaluations that are right; `prediction` is what most
    # of them say.
    pa.field("right", pa.float32()),
    # Attacks: the prediction is not the label or, of targeted ones, it is the target.
    pa.field("success", pa.bool_()),
    # Attacks: which of a cascade succeeded; null if none had to, and for transfer.
    pa.field("found_by", NAME),
    # Attacks: size of the perturbation in the attack's norm. A bisection looked for the smallest,
    # which is infinite where nothing fooled.
    pa.field("distance", pa.float32()),
    # Certified: no l2 perturbation below it, in pixel units, changes the prediction; 0 where the
    # model abstains, whose prediction is then -1.
    pa.field("radius", pa.float32()),
    # How visible the perturbation is: PSNR in decibels, infinite where nothing has changed, and
    # SSIM, of corruptions, stylizations and attacks. Null where no perturbed image was judged, as
    # where the clean one is misclassified; SSIM also of images smaller than 11 x 11.
    pa.field("psnr", pa.float32()),
    pa.field("ssim", pa.float32()),
    # What `prediction` is of, of sets of texts, and of captions that are attacked.
    pa.field("text", pa.string()),
    # Attacks on texts: how many characters (Levenshtein's distance) or listed words have changed,
    # and how many different token sequences were scored.
    pa.field("edits", pa.int32()),
    pa.field("candidates", pa.int32()),
    # Of retrieval under attack: "query", one attacked among items as they are; "gallery", one as it
    # is among items that are all attacked; "both", one among them that is attacked itself.
    pa.field("protocol", NAME),
    pa.field("steps", pa.int32()),  # Attacks.
    # Attacks: claims on this example that did not hold when judged; null for transfer.
    pa.field("refuted", pa.int32()),
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
    elif (shared := cell.get(field.name)) is None:
      arrays.append(pa.nulls(rows, field.type))
    else:
      arrays.append(pa.repeat(pa.scalar(shared, plain(field.type)), rows).cast(field.type))
  return pa.Table.from_arrays(arrays, schema=SCHEMA)


def fields(names: Iterable[str]) -> pa.Schema:
  """Those of `SCHEMA` that are named."""
  return pa.schema([SCHEMA.field(name) for name in names])


def plain(kind: pa.DataType) -> pa.DataType:
  """Without a dictionary."""
  return kind.value_type if pa.types.is_dictionary(kind) else kind
