"""What tells an image without a network: the SHA-256 of its pixels, and a perceptual hash.

The hash is pHash (Zauner, 2010): the signs of low frequencies of a small grey copy. It is kept as a
unit vector of 64 signs, so that neighbours are found as of embeddings; a cosine c stands for
32 * (1 - c) bits that differ.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from jaxbench import data, errors

_BATCH = 4096
BITS, DIGEST = 64, 32  # Bits of a hash, bytes of a digest.


class Fingerprints(NamedTuple):
  """Of some images."""

  hashes: np.ndarray  # [N, 64] float16, unit vectors.
  digests: np.ndarray  # [N, 32] uint8, of the pixels as stored.
  readable: np.ndarray  # [M] bool: which of the M images these N are.


def fingerprints(
  source: data.Source,
  indices: Sequence[int],
  change: Callable[[np.ndarray], np.ndarray] | None = None,
  workers: int = 0,
) -> Fingerprints:
  """The fingerprints of some images of a source, or of changed copies of them.

  Raises:
    InputError: imagehash is not installed.
  """
  _phash()
  batches = [indices[start : start + _BATCH] for start in range(0, len(indices), _BATCH)]
  codes, readable = [np.zeros((0, BITS // 8 + DIGEST), np.uint8)], []
  for batch in data.stream(source, batches, _Fingerprint(change), workers):
    readable.append(batch.readable)
    if len(batch.images):
      codes.append(batch.images)
  packed = np.concatenate(codes)
  signs = np.unpackbits(packed[:, : BITS // 8], axis=1).astype(np.float16) * 2 - 1
  hashes = signs / np.float16(BITS**0.5)
  return Fingerprints(hashes, packed[:, BITS // 8 :], np.concatenate(readable))


@dataclasses.dataclass(frozen=True)
class _Fingerprint:
  """Takes the place of a model's preprocessing in `data.stream`: picklable."""

  change: Callable[[np.ndarray], np.ndarray] | None

  def __call__(self, image: np.ndarray) -> np.ndarray:
    """uint8 [h, w, 3] -> uint8 [40]: 64 bits of pHash, 32 bytes of SHA-256."""
    changed = image if self.change is None else self.change(image)
    bits = np.packbits(_phash()(Image.fromarray(changed)).hash.reshape(-1))
    digest = hashlib.sha256(repr(changed.shape).encode() + changed.tobytes()).digest()
    return np.concatenate([bits, np.frombuffer(digest, np.uint8)])


def _phash() -> Callable:
  try:
    from imagehash import phash  # Optional.
  except ImportError as error:
    raise errors.InputError(
      "perceptual hashes need imagehash; pip install jaxbench[overlap]"
    ) from error
  return phash
