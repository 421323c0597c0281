"""Tokenizers that come with the weights, in a tokenizer.json, and how their sources use them."""

import dataclasses
import functools
import pathlib
import string
from collections.abc import Callable, Sequence

import numpy as np
import tokenizers
from etils import epath

from jaxbench import errors
from jaxbench.models.encoders.tokenizer import clean
from jaxbench.models.weights import files, sidecar

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _spaced(text: str) -> str:
  return " ".join(text.split())


# What is done with a text before the tokenizer.json sees it. The first three are open_clip's, by
# its names; the others what transformers' tokenizers for SigLIP do, and for SigLIP 2.
CLEANERS: dict[str, Callable[[str], str]] = {
  "canonicalize": lambda text: _spaced(
    clean(text).replace("_", " ").translate(_NO_PUNCTUATION).lower()
  ),
  "lower": lambda text: _spaced(clean(text)).lower(),
  "whitespace": lambda text: _spaced(clean(text)),
  "siglip": lambda text: _spaced(text.lower().translate(_NO_PUNCTUATION)),
  "siglip2": str.lower,
}


@dataclasses.dataclass(frozen=True)
class TokenizerConfig:
  """Which tokenizer.json it is, and what its source does beside."""

  sha256: str  # Of the file; "" of a size, whose checkpoints differ in it.
  pad_id: int  # Texts are filled up with it.
  clean: str  # From `CLEANERS`.
  pad_left: bool = False
  removed_id: int | None = None  # A token that becomes 0.

  def __post_init__(self) -> None:
    if self.clean not in CLEANERS:
      raise errors.unknown("clean", self.clean, CLEANERS)


@dataclasses.dataclass(frozen=True)
class TokenizerFile:
  """A tokenizer.json; equal if its content and use are."""

  config: TokenizerConfig
  path: str = dataclasses.field(compare=False)

  def __call__(self, texts: Sequence[str], length: int) -> np.ndarray:
    """int32 [B, length]: cleaned, cut to `length` with the end token kept, filled up."""
    config, reader = self.config, _read(self.path, self.config.sha256)
    reader.enable_truncation(length)
    reader.enable_padding(
      direction="left" if config.pad_left else "right",
      length=length,
      pad_id=config.pad_id,
      pad_token=reader.id_to_token(config.pad_id),
    )
    encodings = reader.encode_batch([CLEANERS[config.clean](text) for text in texts])
    ids = np.array([encoding.ids for encoding in encodings], np.int32).reshape(-1, length)
    return ids if config.removed_id is None else np.where(ids == config.removed_id, 0, ids)


class Beside:
  """The tokenizer in a folder: tokenizer.json and tokenizer_config.json."""

  def __init__(self, folder: pathlib.Path, what: str = "it"):
    """Raises InputError where a file is missing; `what` should be in them."""
    self._file = folder / "tokenizer.json"
    if not self._file.exists():
      raise errors.InputError(
        f"{folder}: lacks tokenizer.json, without which texts cannot be read; put {what} there "
        "(transformers.AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER) writes it)"
      )
    self.sha256 = files.sha256((self._file,))
    self.fields = sidecar.read(folder / "tokenizer_config.json")

  def id_of(self, kind: str) -> int:
    """The id of the token that tokenizer_config.json calls `kind`, as "pad_token".

    Raises:
      InputError: it names none, or tokenizer.json cannot be read or lacks the token.
    """
    token = self.fields.need(kind)
    token = self.fields.sub(kind).need("content") if isinstance(token, dict) else token
    if not isinstance(token, str):
      raise self.fields.error(f"{kind} is {token!r}, not a token")
    try:
      token_id = _read(str(self._file), self.sha256).token_to_id(token)
    except Exception as error:  # tokenizers raises nothing narrower.
      raise errors.InputError(f"{self._file}: not a tokenizer.json ({error})") from error
    if token_id is None:
      raise errors.InputError(f"{self._file}: lacks the token {token!r}, the {kind}")
    return token_id

  def pad_left(self, default: str = "right") -> bool:
    """Whether texts are filled up in front."""
    return self.fields.choose("padding_side", {"left": True, "right": False}, default)


@functools.cache
def _read(path: str, sha256: str) -> tokenizers.Tokenizer:
  return tokenizers.Tokenizer.from_str(epath.Path(path).read_text())
