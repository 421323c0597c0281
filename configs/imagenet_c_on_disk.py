"""ImageNet-C from its published JPEGs, which are what mCE was defined on.

Command: python -m jaxbench --config=configs/imagenet_c_on_disk.py \
  --workdir=runs/imagenet_c_on_disk --config.data_root=/data
Run time: not measured; 3.8 million images of 224 pixels, each decoded once per preprocessing.
Expected: mCE 78.2 % of torchvision's first ResNet-50, whose preprocessing enlarges the images to
256 pixels and crops them (imagenet-testbed's figure; Hendrycks & Dietterich, 2019, have 76.7 %
without). The report has it; `metrics.corrupted_on_disk` says how to get it from the records.
"""

from jaxbench import config, data


def get_config() -> config.Config:
  """Fifteen corruptions at five severities, and the clean images."""
  extra = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
  corrupted = [
    name
    for name in data.CATALOG
    if name.startswith("imagenet-c/") and name.split("/")[1] not in extra
  ]
  return config.Config(
    models=("openai/clip-vit-base-patch32", "timm/resnet50.tv_in1k"),
    prompts=("openai_80",),
    data=("imagenet", *corrupted),
  )
