"""ImageNet-C generated on the device: 15 + 4 corruptions at five severities, no files.

Command: python -m jaxbench --config=configs/imagenet_c.py --workdir=runs/imagenet_c \
  --config.data_root=/data --config.corruptions.textures=FOLDER_OF_FROST
Run time: --plan tells the passes; the corruptions add what tests/perf/corruptions.py measures.
Expected: not measured on ImageNet, which was not at hand. The images are drawn anew by the rules of
the published ones, of which torchvision's first ResNet-50 has an mCE of 76.7 %; models of other
sizes than 224 pixels are shown corruptions at their own, and have no mCE.

Frost needs the reference's photographs (`pip install --no-deps imagecorruptions` brings them);
without them it is absent, and with it mCE. The argument `digits` runs the 32-pixel constants of
CIFAR-10-C on the embedded models, as the operations return images; `bar` runs ImageNet-C-bar's ten
corruptions in place of ImageNet-C's.
"""

from jaxbench import config, corruptions


def get_config(where: str = "imagenet") -> config.Config:
  """All corruptions as ImageNet-C's files hold them, or ImageNet-C-bar's, or on `digits`."""
  config.check_argument(where, "imagenet", "bar", "digits")
  digits, official = where == "digits", corruptions.NAMES + corruptions.EXTRA_NAMES
  return config.Config(
    models=(
      ("digits-clip", "digits-resnet")
      if digits
      else ("openai/clip-vit-base-patch32", "timm/resnet50.tv_in1k")
    ),
    data=("digits",) if digits else ("imagenet",),
    prompts=("openai_80",),
    corruptions=config.Corruptions(
      names=corruptions.C_BAR_NAMES if where == "bar" else official,
      variant="cifar" if digits else "imagenet",
      storage="none" if digits else "jpeg85",
    ),
  )
