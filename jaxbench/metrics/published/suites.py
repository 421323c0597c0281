"""The data sets over which papers take the mean of their accuracies."""

_SHARED = (
  "cars",
  "cifar10",
  "cifar100",
  "dtd",
  "fgvc_aircraft",
  "flowers",
  "pcam",
  "pets",
  "stl10",
)
_TECOA = (
  *("imagenet", "caltech101-all", "caltech256", "eurosat-all", "food101", "sun397-all"),
  *_SHARED,
)
SUITES: dict[str, tuple[str, ...]] = {
  "fare13": (*_SHARED, "caltech101", "eurosat", "imagenet-r", "imagenet-sketch"),
  "tecoa16": (*_TECOA, "country211"),
  "tga16": (*_TECOA, "tinyimagenet"),
  "tvss8": (
    *("caltech101-coop", "cars", "dtd-coop", "eurosat-coop", "fgvc_aircraft", "flowers-coop"),
    *("pets", "ucf101"),
  ),
}
# In tables of published numbers a mean is a data set of its own.
MEANS = {f"mean-{name}": name for name in SUITES} | {"mean-bap16": "tecoa16"}
