"""Zero-shot robustness on TeCoA's sixteen sets: PGD-10 and PGD-100 at 1/255 and 4/255.

Command: python -m jaxbench --config=configs/tecoa16.py --workdir=runs/tecoa16 \
  --config.models=openai/clip-vit-base-patch32+tecoa.pth.tar --config.data_root=/data
Run time: --plan tells; 110 gradients for an example that withstands an epsilon, 360,000 examples.
Expected: not measured, since no weights were at hand.

Mao et al. (2023, arXiv:2212.07016), TGA-ZSR and TTC: all test images, cross-entropy, a uniform
start, steps of 1/255, no restarts; the short side is resized to 256 pixels, bilinearly, before the
crop, which lowers clean accuracy. Prompts and names are TeCoA's, "This is a photo of a {}" and
others like it, but for ImageNet's names, which are CLIP's: theirs are in a file that could not be
had. Different too: TeCoA and TTC attack and judge in half precision (float16, torch's autocast).
--config.attacks.search_dtype=bfloat16 searches in half; verdicts are in float32.

`tiny` is three steps on four images of each set.
"""

from jaxbench import config

SETS = (
  "imagenet",
  "caltech101-all",
  "caltech256",
  "cars",
  "cifar10",
  "cifar100",
  "country211",
  "dtd",
  "eurosat-all",
  "fgvc_aircraft",
  "flowers",
  "food101",
  "pcam",
  "pets",
  "stl10",
  "sun397-all",
)


def get_config(where: str = "") -> config.Config:
  """The protocol, or `tiny`."""
  config.check_argument(where, "", "tiny")
  tiny = where == "tiny"
  return config.Config(
    models=("models/tecoa-vit-b-32",),
    data=SETS,
    available=True,
    prompts=config.by_data({"*": "own(tecoa)", "imagenet": "own"}),
    attacks=config.Attacks(
      names=tuple(
        f"pgd(steps={steps}, step_size={1 / 255})" for steps in ((3,) if tiny else (10, 100))
      ),
      epsilons=(1 / 255, 4 / 255),
    ),
    limit=4 if tiny else 0,
    preprocess="resize(short=256, interpolation='bilinear')",
    native=True,
    published=("tecoa", "tga-zsr"),
  )
