"""ImageNet-P generated on the device: ten sequences of frames and four extra ones, no videos.

Command: python -m jaxbench --config=configs/imagenet_p.py --workdir=runs/imagenet_p \
  --config.data_root=/data --config.corruptions.flip_reference=FILE_OR_MODEL
Run time: --plan tells the passes, a forward pass for each frame; `digits`: 85 s on 2 CPU cores.
Expected: flip probabilities near, but not equal to, those on the published videos, which are
compressed. Published rates (mFR of ResNet-50: 58.0 %) are divided by AlexNet's, which are published
nowhere: without a reference there are none. `digits`: over the ten, 1.4 % of the pairs flip for
CLIP, 2.0 % for its robust twin, 1.2 % for the ResNet; mFR 133 %, 100 % and 28 %.

The argument `digits` runs the 32-pixel constants of CIFAR-10-P on the embedded models, and divides
by the robust one. AlexNet itself can be the reference: name its weights among the models, and again
as flip_reference.
"""

from jaxbench import config, corruptions


def get_config(where: str = "imagenet") -> config.Config:
  """All sequences, on ImageNet or on `digits`."""
  config.check_argument(where, "imagenet", "digits")
  digits = where == "digits"
  return config.Config(
    models=(
      ("digits-clip", "digits-clip-robust", "digits-resnet")
      if digits
      else ("openai/clip-vit-base-patch32", "timm/resnet50.tv_in1k")
    ),
    data=("digits",) if digits else ("imagenet",),
    prompts=("openai_80",),
    corruptions=config.Corruptions(
      sequences=corruptions.SEQUENCES + corruptions.EXTRA_SEQUENCES,
      variant="cifar" if digits else "imagenet",
      flip_reference="digits-clip-robust" if digits else "",
    ),
  )
