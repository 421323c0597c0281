"""Attacks on texts: a few characters of captions that look for their images, and of news.

Command: python -m jaxbench --config=configs/text_attacks.py --workdir=runs/text_attacks \
  --config.models=openai/clip-vit-large-patch14 --config.data_root=/data
Run time: --plan tells; some 2,000 passes of the text tower for each text, hours on a GPU.
Expected: not measured, since no weights of this size were at hand; LEAF's note has for OpenAI's
ViT-L/14 on AG-News 74.4 clean and 44.7 under one edit of Charmer.

Charmer at 20 positions, one edit, until another class or image leads: LEAF's evaluation of AG-News
(the first 1,000 of fancyzhx/ag_news's test, its classes as texts). On captions it is ours: LEAF's
goes away from three target sentences, on images that were not published.
`--config.text_attacks.names="charmer(words='words.txt')"` allows no new words.

Arguments: `tiny` is a few candidates of the first texts of either set, named on the command line: a
random CLIP and sets like those of the tests take seconds.
"""

from jaxbench import config


def get_config(size: str = "full") -> config.Config:
  """`full` or `tiny`."""
  config.check_argument(size, "full", "tiny")
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
