"""Retrieval on Flickr30k and COCO, both ways, clean or with the images attacked.

Command: python -m jaxbench --config=configs/retrieval.py --workdir=runs/retrieval \
  --config.models=openai/clip-vit-base-patch32 --config.data_root=/data
Run time: --plan tells; 6,000 images and 30,010 captions, each embedded once, are minutes on a GPU.
Expected: not measured, since no weights of this size were at hand; open_clip's recalls, which stand
beside ours in the report, for ViT-B/32 of OpenAI R@1 78.9 and 58.8 (Flickr30k, captions found for
images and images for captions) and 50.1 and 30.4 (COCO).

The sets are those of the hub (huggingface.co/datasets/clip-benchmark, wds_flickr30k and
wds_mscoco_captions), Karpathy's test parts; captions as they stand there, without a prompt, as
CLIP_benchmark has it. Other files of the same sets are read too, see jaxbench/data/README.md.

Arguments: `folds` is COCO-1k of older papers, recall as the mean over five times 1,000 images in
the order of the shards (Karpathy's own order makes other fifths: `dataset_coco.json(fold=1)`);
`attacked` is captions found for images under APGD at 2 and 4/255, of 1,000 images each,
among all captions; `tiny` a few steps on three images of each set.
"""

from jaxbench import config

SETS = ("flickr30k", "mscoco_captions")
FOLDS = tuple(f"mscoco_captions-1k/{fold}" for fold in range(1, 6))
LIMITS = {"clean": 0, "folds": 0, "attacked": 1_000, "tiny": 3}


def get_config(where: str = "clean") -> config.Config:
  """`clean`, `folds`, `attacked` or `tiny`."""
  config.check_argument(where, *LIMITS)
  names = {
    "clean": (),
    "folds": (),
    "attacked": ("autoattack(attacks=('apgd-ce', 'apgd-t'))",),
    "tiny": ("pgd(steps=3)",),
  }
  return config.Config(
    models=("openai/clip-vit-base-patch32",),
    data=FOLDS if where == "folds" else SETS,
    available=True,
    attacks=config.Attacks(names=names[where], epsilons=(2 / 255, 4 / 255)),
    limit=LIMITS[where],
  )
