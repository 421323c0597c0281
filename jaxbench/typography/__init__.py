"""Typographic attacks: words rendered onto images, which vision-language models tend to read.

Images are uint8 [H, W, 3], RGB. All runs on the host, from an example's id and a seed.
"""

from collections.abc import Callable

from jaxbench.typography.layout import FONTS, PLACES, Box, Layout, boxes, draw
from jaxbench.typography.overlay import Overlay, attack, text
from jaxbench.typography.roz import cifar10_t, imagenet_t
from jaxbench.typography.watermark import watermark
from jaxbench.typography.words import TARGETS, Words, example_seed

OVERLAYS: dict[str, Callable[..., Overlay]] = {
  "cifar10_t": cifar10_t,
  "imagenet_t": imagenet_t,
  "text": text,
  "watermark": watermark,
}

__all__ = [
  "FONTS",
  "OVERLAYS",
  "PLACES",
  "TARGETS",
  "Box",
  "Layout",
  "Overlay",
  "Words",
  "attack",
  "boxes",
  "cifar10_t",
  "draw",
  "example_seed",
  "imagenet_t",
  "text",
  "watermark",
]
