"""The natural shifts of RoZ, zero-shot and with a supervised model beside.

Command: python -m jaxbench --config=configs/natural.py --workdir=runs/natural \
  --config.data_root=/data --config.data=imagenet,imagenet-r,...  (those that you have)
Run time: not measured on the full sets; every image is decoded once per preprocessing.
Expected, as imagenet-testbed reports it for CLIP ViT-B/32: imagenet 63.3, V2 55.8, sketch 42.4,
R 69.3, A 31.4, objectnet 44.0, vid 82.2 (pm-10 66.0), ytbb 67.0 (pm-10 54.4), stylized 21.2, where
the embeddings of its prompts are not normalised before their mean, and ytbb has fewer anchors.
"""

from jaxbench import config, roz


def get_config() -> config.Config:
  """Clean images only; both models are downloaded if asked, with --config.download."""
  return config.Config(
    models=("openai/clip-vit-base-patch32", "timm/resnet50.tv_in1k"),
    prompts=("openai_80",),
    data=(*roz.STANDARDS, *roz.SHIFTS, "cue-conflict"),
  )
