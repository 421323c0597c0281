"""All of RoZ: natural and synthetic shifts, eleven attacks and the typographic one, in one run.

Command: python -m jaxbench --config=configs/roz.py:tiny --workdir=runs/roz_tiny
or, on the data sets and models that you have, which --config.download fetches,
python -m jaxbench --config=configs/roz.py:small --workdir=runs/roz --config.data_root=/data
Run time: `tiny` 8 to 9 minutes on 2 slow CPU cores, half of it compilation. Of the others --plan
tells the passes, the hours and the disk.
Expected: `tiny`, openai_80 prompts, of 30 scans and 30 printed digits each: printed digits CLIP
26.7 %, its robust twin 43.3 %, the ResNet 50.0 %; median smallest epsilons of BIM 2.7, 16 and
8.0/255. Of the others, the published accuracies that the report has beside them.

Wang et al., 2024 (arXiv:2403.10499): seven natural shifts and three synthetic ones (ImageNet-C and
-P are generated from ImageNet's images), six CLIPs by OpenAI beside supervised models, each CLIP
with one prompt and with the ensemble of eighty; searched prompts are prompt sets like any other,
to be named in --config.prompts. What is not on the disk is left out and listed with the way to get
it; the same command runs it once it is there. `small` takes 1,000 images of each set, `tiny` the
embedded models and scans, whose shift are printed digits.

Attacks are those of roz_attacks.py, on ImageNet, all bisected up to one bound; with one difference:
DeepFool looks at the ten likeliest classes, as its authors do, where RoZ takes all thousand for a
hundred times the work. PGD of 40 steps stands beside them for its curve of convergence.
"""

from jaxbench import config, corruptions, roz

_CLIP = (
  "timm/resnet50_clip.openai",
  "timm/resnet101_clip.openai",
  "timm/resnet50x4_clip.openai",
  "timm/resnet50x16_clip.openai",
  "openai/clip-vit-base-patch32",
  "openai/clip-vit-base-patch16",
)
_SUPERVISED = (
  "timm/resnet50.tv_in1k",
  "timm/resnet101.tv_in1k",
  "google/efficientnet-b3",
  "google/vit-base-patch32-384",
  "google/vit-base-patch16-384",
)
_SUBSTITUTE = "timm/resnet152.tv_in1k"  # Transfer attacks are made on it.
_PROMPTS = ("simple", "openai_80")

_FEW_SCORES = ("nes(queries=820, pairs=20)", "spsa(queries=820, pairs=20)")


def get_config(size: str = "full") -> config.Config:
  """The benchmark in one of its sizes: `tiny`, `small` or `full`."""
  config.check_argument(size, "full", "small", "tiny")
  tiny = size == "tiny"
  return config.Config(
    models=(
      ("digits-clip", "digits-clip-robust", "digits-resnet") if tiny else (*_CLIP, *_SUPERVISED)
    ),
    data=("digits", "digits-printed") if tiny else (*roz.STANDARDS, *roz.SHIFTS),
    available=True,
    perturbed=("digits",) if tiny else ("imagenet",),
    prompts=_PROMPTS,
    corruptions=config.Corruptions(
      names=corruptions.NAMES,
      sequences=corruptions.SEQUENCES,
      variant="cifar" if tiny else "imagenet",
      storage="jpeg85",
      error_reference="digits-clip-robust" if tiny else "",
      flip_reference="digits-clip-robust" if tiny else "",
    ),
    typography=("text",) if tiny else ("imagenet_t",),
    attacks=config.Attacks(
      names=("pgd(steps=40)",),
      smallest=(*roz.GRADIENTS, "deepfool", *(_FEW_SCORES if tiny else roz.SCORES)),
      smallest_transfer=roz.TRANSFER,
      transfer=("mim(steps=10, relative_step=1.5)",),
      surrogates=("digits-resnet", "digits-clip") if tiny else (_SUBSTITUTE, _CLIP[4]),
      epsilons=(4 / 255, 16 / 255) if tiny else (0.5 / 255, 1 / 255, 4 / 255),
      tolerance=1 / 255 if tiny else 0.05 / 255,
    ),
    limit={"tiny": 30, "small": 1000, "full": 0}[size],
    slots=15 if tiny else 64,
  )
