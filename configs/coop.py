"""CoOp's eleven sets on its test images: zero-shot, and attacked as test-time defences are.

Command: python -m jaxbench --config=configs/coop.py --workdir=runs/coop \
  --config.models=openai/clip-vit-base-patch16 --config.data_root=/data
Run time: --plan tells; 130,000 images, with `attacked` 100 gradients for one that withstands.
Expected: not measured, since no weights were at hand.

Zhou et al. (2022, arXiv:2109.01134): one template for each set, and the test images of its split
files (split_zhou_*.json, of which pets, cars, aircraft and SUN397 are the official tests).

`attacked` is how R-TPT and T-VSS evaluate eight of them and CLIP without defence: "a photo of a
{}.", PGD-100 at 4/255 in steps of 1/255 (for RN50 they have 7 steps at 1/255). They round the
attacked images down to 8 bits, which is not done here. `tiny` is that in three steps on four images
of each set.
"""

from jaxbench import config

SETS = (
  "imagenet",
  "caltech101-coop",
  "pets",
  "cars",
  "flowers-coop",
  "food101-coop",
  "fgvc_aircraft",
  "sun397",
  "dtd-coop",
  "eurosat-coop",
  "ucf101",
)


def get_config(where: str = "clean") -> config.Config:
  """The sets with CoOp's prompts; `attacked` or `tiny` with those of the defences."""
  config.check_argument(where, "clean", "attacked", "tiny")
  clean = where == "clean"
  steps = 3 if where == "tiny" else 100
  pgd = config.Attacks(names=(f"pgd(steps={steps}, step_size={1 / 255})",), epsilons=(4 / 255,))
  return config.Config(
    models=("openai/clip-vit-base-patch16",),
    data=SETS,
    available=True,
    # Of ImageNet that is CoOp's too.
    prompts=config.by_data({"imagenet": "simple", "*": "own(coop)"}) if clean else ("simple",),
    attacks=config.Attacks() if clean else pgd,
    limit=4 if where == "tiny" else 0,
    published=("t-vss",),
  )
