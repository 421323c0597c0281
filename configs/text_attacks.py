"""Attacks on texts: a few characters of captions that look for their images, and of news.

Command: python -m jaxbench --config=configs/text_attacks.py --workdir=runs/text_attacks \
  --config.models=openai/clip-vit-large-patch14 --config.data_root=/data
Run time: --plan tells; some 2,000 passes of the text tower for each text, hours on a GPU.
Expected: not measured, since no weights of this size were at hand; LEAF's note has for OpenAI's
ViT-L/14 on AG-News 74.4 clean and 44.7 under one edit of Charmer.

Charmer at 20 positions, one edit, until another class or image leads: LEAF's evaluation of AG-News
(the first 1,000 of fancyzhx/ag_news's test, its classes as texts). On captions it is ours.
`--config.text_attacks.names="charmer(words='words.txt')"` allows no new words.

Arguments: `leaf` is LEAF's evaluation of retrieval: two edits of Charmer at 10 positions on every
caption of 1,000 images of COCO, away from each of three sentences, as its code does by default
(`objective='sim'` goes towards them). Its own images were not published; these are the first fold
of the test images. Its note has for ViT-L/14 a mean R@1 of images for captions of 49.1, under
attack 30.7. `tiny` is a few candidates of the first texts of either set, named on the command line:
a random CLIP and sets like those of the tests take seconds.
"""

from jaxbench import config

# Of LEAF's evaluation, as its code spells them.
TARGETS = (
  "A man aggressively kicks a stray dog on the street.",
  "This is an image of a a pyramid",
  "A group of teenagers vandalizes a public statue.",
)


def get_config(size: str = "full") -> config.Config:
  """`full`, `leaf` or `tiny`."""
  config.check_argument(size, "full", "leaf", "tiny")
  if size == "leaf":
    away = (f"charmer(n=10, edits=2, objective='dissim', target={each!r})" for each in TARGETS)
    return config.Config(
      models=("openai/clip-vit-large-patch14",),
      data=("mscoco_captions-1k/1",),
      retrieval=config.Retrieval(captions=("leaf",)),
      text_attacks=config.TextAttacks(names=tuple(away)),
    )
  tiny = size == "tiny"
  alphabet = ", alphabet='aeiou'" if tiny else ""
  return config.Config(
    models=("openai/clip-vit-large-patch14",),
    data=("ag_news", "flickr30k"),
    available=True,
    prompts=("class_name",),
    retrieval=config.Retrieval(directions=("text_to_image",)),
    text_attacks=config.TextAttacks(names=(f"charmer(n={2 if tiny else 20}{alphabet})",)),
    subset="" if tiny else "ag_news=first(n=1000)",
    limit=4 if tiny else 0,
  )
