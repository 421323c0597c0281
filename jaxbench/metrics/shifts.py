"""The natural shifts whose effective robustness is known of many published models."""

from typing import NamedTuple


class Shift(NamedTuple):
  """A shift: where its two accuracies are in a run, and in the table of published models."""

  data: str  # Data set.
  within: str  # Data set without the shift, of the same classes; the same for videos' pm-10.
  standard: str = ""  # Column; "" where no published model has been evaluated.
  shifted: str = ""  # Column.
  broken: bool = False  # The line breaks at the model that selected the images.


SHIFTS = {
  shift.data + (" pm-10" if shift.data == shift.within else ""): shift
  for shift in (
    Shift(
      "imagenetv2-matched-frequency",
      "imagenet",
      "val",
      "imagenetv2-matched-frequency-format-val",
    ),
    Shift("imagenet-sketch", "imagenet", "val", "imagenet-sketch"),
    Shift("stylized-imagenet", "imagenet", "val", "stylized_imagenet"),
    Shift("imagenet-r", "imagenet-on-imagenet-r", "val-on-imagenet-r-classes", "imagenet-r"),
    Shift("imagenet-a", "imagenet-on-imagenet-a", "val-on-imagenet-a-classes", "imagenet-a", True),
    Shift("objectnet", "imagenet-on-objectnet", "val-on-objectnet-classes", "objectnet-1.0-beta"),
    Shift(
      "imagenet-vid-robust",
      "imagenet-on-imagenet-vid-robust",
      "val-on-vid-robust-classes",
      "imagenet-vid-robust_pm0",
    ),
    Shift(
      "imagenet-vid-robust",
      "imagenet-vid-robust",
      "imagenet-vid-robust_pm0",
      "imagenet-vid-robust_pm10",
    ),
    Shift(
      "ytbb-robust",
      "imagenet-on-ytbb-robust",
      "val-on-ytbb-robust-classes",
      "ytbb-robust_pm0",
    ),
    Shift("ytbb-robust", "ytbb-robust", "ytbb-robust_pm0", "ytbb-robust_pm10"),
    Shift("digits-printed", "digits"),
  )
}
