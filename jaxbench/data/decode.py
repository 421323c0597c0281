"""From the bytes of an image file to pixels, as the reference loaders see them."""

import io
import struct

import numpy as np
from PIL import Image

from jaxbench import errors

# Not all that Pillow knows: PostScript, for one, would run another program. Older ones lack AVIF.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "JPEG2000", "AVIF")
Image.init()
_READABLE = tuple(name for name in _FORMATS if name in Image.OPEN)
SUFFIXES = frozenset(
  suffix for suffix, name in Image.registered_extensions().items() if name in _READABLE
)
# What Pillow's readers stumble with on broken files, besides OSError.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error)


class BadImage(errors.InputError):
  """One image cannot be read; the rest of its data set may be sound."""


def decode(content: bytes) -> np.ndarray:
  """uint8 [h, w, 3], RGB: Pillow's decoding and its `convert("RGB")`.

  Never in Pillow's draft mode: where that saves time, it scales inside the JPEG decoder and so
  changes pixels.

  Raises:
    BadImage: the content is no image, is truncated, or would be of more pixels than Pillow allows
      (179 million, against decompression bombs).
  """
  try:
    with Image.open(io.BytesIO(content), formats=_READABLE) as picture:
      return np.asarray(picture.convert("RGB"))
  except Image.UnidentifiedImageError as error:
    raise BadImage("is not an image") from error
  except Image.DecompressionBombError as error:
    raise BadImage(f"is too large: {error}") from error
  except _BROKEN as error:
    raise BadImage(f"cannot be decoded: {error}") from error
