"""Pictures of what was judged, of the few examples that are shown."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from jaxbench import devices
from jaxbench.blocks.block import Block


def fetch_batch(batch: devices.Batch, _: str) -> np.ndarray:
  """The images of a batch, for `keep`."""
  return batch.fetch()


def keep(rows: np.ndarray, block: Block, fetch: Callable[[str], np.ndarray]) -> list[bytes | None]:
  """PNGs of those of the images "image" that are wanted; `rows` of the block are fetched."""
  wanted = block.pictured[rows]
  if not wanted.any():
    return [None] * len(rows)
  images = fetch("image")
  return [_png(image) if keep else None for image, keep in zip(images, wanted, strict=True)]


def _png(image: np.ndarray) -> bytes:
  """float32 [H, W, 3] in [0, 1], rounded to 8 bits."""
  buffer = io.BytesIO()
  Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(buffer, "PNG")
  return buffer.getvalue()
