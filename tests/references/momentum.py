"""The momentum attacks in torch, written plainly from their papers and the rules of their code.

Images are [B, H, W, 3] in [0, 1]. A gradient is a function (x, g, i) of the iterate, the momentum
so far and the number of the step, with its random draws passed in.
"""

import torch
from scipy import stats
from torch.nn import functional

from references import attacks


def iterates(clean, radius, gradient, *, steps, length=1.0, decay=1.0, norm="linf"):
  """Yields the images that are looked at, and the last one, which is not."""
  x, g = clean, torch.zeros_like(clean)
  for i in range(steps):
    yield x
    fresh = gradient(x, g, i)
    g = decay * g + fresh / fresh.abs().mean(dim=(1, 2, 3), keepdim=True)
    direction = g.sign() if norm == "linf" else g / attacks.size(g, norm).view(-1, 1, 1, 1)
    x = attacks.project(clean, x + length * radius / steps * direction, radius, norm)
  yield x


def at(model, labels, x):
  return attacks.look(model, x, labels, attacks.cross_entropy)[1]


def plain(model, labels):
  return lambda x, g, i: at(model, labels, x)


def scaled(model, labels, stride, copies):
  """SI-NI at decay 1: the gradient is by the image, so that darker copies count for less."""

  def gradient(x, g, i):
    ahead = x + stride * g
    return sum(at(model, labels, ahead / 2**k) / 2**k for k in range(copies)) / copies

  return gradient


def tuned(model, labels, noise):
  """Variance tuning; noise is [steps, N, B, H, W, 3]."""
  variance = 0

  def gradient(x, g, i):
    nonlocal variance
    here = at(model, labels, x)
    corrected = here + variance
    variance = sum(at(model, labels, x + n) for n in noise[i]) / len(noise[i]) - here
    return corrected

  return gradient


def resized(image, height, width, top, left):
  """One image [H, W, 3], smaller, on black."""
  chw = image.permute(2, 0, 1)[None]
  small = functional.interpolate(chw, (height, width), mode="bilinear", align_corners=False)
  below, right = image.shape[0] - height - top, image.shape[1] - width - left
  return functional.pad(small, (left, right, top, below))[0].permute(1, 2, 0)


def diverse(model, labels, draws):
  """draws[i][b] is None, or (height, width, top, left) of example b in step i."""

  def gradient(x, g, i):
    def changed(images):
      rows = zip(images, draws[i], strict=True)
      return model(torch.stack([x if draw is None else resized(x, *draw) for x, draw in rows]))

    return at(changed, labels, x)

  return gradient


def smoothed(gradient, side=15):
  density = torch.tensor(stats.norm.pdf(torch.linspace(-3, 3, side).numpy())).float()
  kernel = torch.outer(density, density)
  kernel = (kernel / kernel.sum()).expand(3, 1, side, side)

  def smooth(x, g, i):
    channels = gradient(x, g, i).permute(0, 3, 1, 2)
    return functional.conv2d(channels, kernel, padding=side // 2, groups=3).permute(0, 2, 3, 1)

  return smooth
