"""Clean zero-shot accuracy on the sets of CLIP_benchmark, with each one's own names and templates.

Command: python -m jaxbench --config=configs/vtab.py --workdir=runs/vtab \
  --config.models=laion/CLIP-ViT-B-32-laion2B-s34B-b79K --config.data_root=/data
Run time: --plan tells; 600,000 images, each seen once.
Expected: not measured, since no weights were at hand; open_clip's results, which are top-1 but for
Caltech-101, pets, flowers and FGVC Aircraft (mean per class), and CLIP_benchmark's of VOC 2007 by
whole images (mean average precision).

VTAB+ (Schuhmann et al., 2022, arXiv:2210.08402) and ImageNet's own variants. dsprites' position has
no templates and is left out. `tiny` is four images of each set.
"""

from jaxbench import config

SETS = (
  "imagenet",
  "imagenetv2-matched-frequency",
  "imagenet-sketch",
  "imagenet-a",
  "imagenet-o",
  "imagenet-r",
  "objectnet-own-names",
  "caltech101",
  "cars",
  "cifar10",
  "cifar100",
  "clevr_closest_object_distance",
  "clevr_count_all",
  "country211",
  "diabetic_retinopathy",
  "dmlab",
  "dsprites_label_orientation",
  "dsprites_label_x_position",
  "dtd",
  "eurosat",
  "fer2013",
  "fgvc_aircraft",
  "flowers",
  "food101",
  "gtsrb",
  "kitti_closest_vehicle_distance",
  "mnist",
  "pcam",
  "pets",
  "renderedsst2",
  "resisc45",
  "smallnorb_label_azimuth",
  "smallnorb_label_elevation",
  "stl10",
  "sun397-all",
  "svhn",
  "voc2007",
  "voc2007_multilabel",
)


def get_config(where: str = "") -> config.Config:
  """All of them, or `tiny`."""
  config.check_argument(where, "", "tiny")
  return config.Config(
    models=("laion/CLIP-ViT-B-32-laion2B-s34B-b79K",),
    data=SETS,
    available=True,
    prompts=("own",),
    limit=4 if where == "tiny" else 0,
  )
