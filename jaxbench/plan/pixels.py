"""How a run's images become inputs, where it is not as the models themselves say."""

import dataclasses

from jaxbench import errors, models, spec


def preprocess(text: str, usual: models.Preprocess) -> models.Preprocess:
  """What is done to images before a model of a usual preprocessing.

  Args:
    text: "", or as `--config.preprocess` has it.
    usual: the model's own, whose size of the input stays.

  Raises:
    InputError: it cannot be meant, or would enlarge what is left of an image.
  """
  if (wanted := asked(text)) is None:
    return usual
  if wanted.size < usual.size:
    raise errors.InputError(
      f"--config.preprocess={text}: a short side of {wanted.size} holds no {usual.size} pixels"
    )
  return dataclasses.replace(
    usual, resize=wanted.size, interpolation=wanted.interpolation, squash=False
  )


def asked(text: str) -> models.Preprocess | None:
  """What a config asks for, its size that of the short side; None if it asks for nothing.

  Raises:
    InputError: it cannot be meant.
  """
  if not text:
    return None
  return spec.build(spec.resolve(text, {"resize": _resize}, "way to --config.preprocess"))


def _resize(*, short: int, interpolation: str = "bicubic") -> models.Preprocess:
  """Resizes the short side, of which the model is then given the centre."""
  return models.Preprocess(short, interpolation=interpolation)
