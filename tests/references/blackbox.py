"""Black-box attacks in torch and numpy, written plainly from their papers."""

import jax
import jax.numpy as jnp
import numpy as np
import torch
from scipy import fft, stats

from references.attacks import margin, project, size


def gaussian(pairs, clean):
  """Directions [q, B, H, W, 3]."""
  return torch.randn(pairs, *clean.shape)


def signs(pairs, clean):
  """The same, of random signs."""
  return torch.randint(0, 2, (pairs, *clean.shape)).float() * 2 - 1


def descend(
  model, clean, labels, radius, draw, *, norm="linf", steps=20, sigma=0.001, step_size=0.15
):
  """NES and SPSA: yields images [B, H, W, 3] after each step, and whether they fool, [B].

  `draw` maps the number of a step to directions [q, B, H, W, 3]. What fools stays where it is.
  """
  x = clean
  fooled = torch.zeros(len(clean), dtype=torch.bool)
  for i in range(steps):
    directions = draw(i)
    pairs = len(directions)
    points = torch.cat([x + sigma * directions, x - sigma * directions])
    values = margin(model(points.flatten(0, 1)), labels.repeat(2 * pairs)).view(2, pairs, -1)
    gaps = values[0] - values[1]
    slope = torch.einsum("qb,qbhwc->bhwc", gaps, directions) / (2 * pairs * sigma)
    if norm == "linf":
      climb = slope.sign()
    else:
      climb = slope / (size(slope, norm).view(-1, 1, 1, 1) + 1e-30)
    moved = project(clean, x + step_size * radius * climb, radius, norm)
    x = torch.where(fooled.view(-1, 1, 1, 1), x, moved)
    fooled = margin(model(x), labels) > 0
    yield x, fooled


# The others are generators, for one image [H, W, 3]: they yield what they ask about, [n, H, W, 3],
# and are sent the answers. So the same answers can be given to them as to what they are compared
# with.


def simba(clean, radius, vectors, *, step_size):
  """Is sent the loss of each image, [1]; yields images [1, H, W, 3]. `vectors` come in order."""
  x = clean
  (best,) = yield x[None]
  while True:
    for vector in vectors:
      for sign in (-1, 1):
        trial = _into_l2(clean, x + sign * step_size * vector, radius)
        (value,) = yield trial[None]
        if value > best:
          best, x = value, trial
          break


def _into_l2(clean, image, radius):
  delta = image - clean
  return np.clip(clean + delta * min(1, radius / max(np.linalg.norm(delta), 1e-30)), 0, 1)


def cosines(size, frequency):
  """scipy's inverse DCT of one frequency, at 2-norm 1."""
  return fft.idct(np.eye(size)[frequency], norm="ortho")


def _length(delta, norm):
  return np.abs(delta).max() if norm == "linf" else np.linalg.norm(delta)


def _towards(clean, point, share, norm):
  """Nearer to the clean image, at a share of the distance."""
  if norm == "l2":
    return (1 - share) * clean + share * point
  reach = share * _length(point - clean, norm)
  return np.clip(point, clean - reach, clean + reach)


def _start(noise):
  """The first image of noise that is across."""
  while True:
    images = noise()
    answers = yield images
    if answers.any():
      return images[np.flatnonzero(answers)[0]]


def _bisect(clean, point, norm, batch, precision):
  """The boundary on the way from the clean image, which is not across, to a point that is."""
  low, high, width = 0.0, 1.0, 1.0
  while width > precision * (1 + 1e-9):
    shares = np.linspace(low, high, batch + 2)
    answers = yield np.stack([_towards(clean, point, s, norm) for s in shares[1:-1]])
    first = next((i for i, answer in enumerate(answers) if answer), batch)
    low, high = shares[first], shares[first + 1]
    width /= batch + 1
  return _towards(clean, point, high, norm)


def boundary(clean, noise, gaussian, *, around=0.1, towards=0.1):
  """Brendel et al., 2018: is sent whether each image is across, [1].

  `noise()` and `gaussian()` draw a start [1, H, W, 3] and a direction [H, W, 3] for the next image.
  """
  point = yield from _start(noise)
  point = yield from _bisect(clean, point, "l2", 1, 2**-9.5)
  asides, steps, turn = [], [], 0
  while True:
    turn += 1
    delta = point - clean
    distance = np.linalg.norm(delta)
    eta = gaussian()
    eta = eta - (eta * delta).sum() / distance**2 * delta
    eta = eta * around * distance / np.linalg.norm(eta)
    trial = np.clip(clean + (delta + eta) / np.sqrt(1 + around**2), 0, 1)
    if turn % 10 == 0:
      (across,) = yield trial[None]
      asides.append(across)
      if len(asides) == 30:
        factor = 1.5 if np.mean(asides) > 0.5 else 1 / 1.5 if np.mean(asides) < 0.2 else 1
        around, towards, asides = around * factor, towards * factor, []
      continue
    delta = trial - clean
    length = max(towards * distance + np.linalg.norm(delta) - distance, 0)
    trial = trial - length * delta / np.linalg.norm(delta)
    (across,) = yield trial[None]
    if across:
      point = trial
    steps.append(across)
    if len(steps) == 30:
      towards *= 1.5 if np.mean(steps) > 0.25 else 1 / 1.5 if np.mean(steps) < 0.1 else 1
      steps = []


def hopskipjump(clean, noise, draw, *, norm="l2", batch=1, samples=100, probe=0.01):
  """Chen et al., 2020, algorithm 2, with `batch` images at a time; is sent which are across.

  `noise()` and `draw()` draw starts and directions [batch, H, W, 3] for the next images.
  """
  size = clean.size
  theta = max(probe / (size**0.5 if norm == "l2" else size), 1e-6)
  point = yield from _start(noise)
  point = yield from _bisect(clean, point, norm, batch, theta)
  t = 0
  while True:
    t += 1
    delta = 0.1 if t == 1 else probe * _length(point - clean, norm)
    directions, answers = [], []
    while len(answers) < min(samples * t**0.5, 10_000):
      u = draw()
      u = u / np.linalg.norm(u.reshape(batch, -1), axis=1)[:, None, None, None]
      images = np.clip(point + delta * u, 0, 1)
      directions.extend((images - point) / delta)
      answers.extend((yield images))
    signs, directions = np.where(answers, 1.0, -1.0), np.array(directions)
    weights = signs if abs(signs.mean()) == 1 else signs - signs.mean()
    slope = (weights[:, None, None, None] * directions).mean(axis=0)
    slope = slope / np.linalg.norm(slope) if norm == "l2" else np.sign(slope)
    length = _length(point - clean, norm) / t**0.5
    for _ in range(0, 20, batch):
      lengths = length / 2.0 ** np.arange(batch)
      images = np.clip(point + lengths[:, None, None, None] * slope, 0, 1)
      answers = yield images
      if answers.any():
        point = images[np.flatnonzero(answers)[0]]
        break
      length /= 2.0**batch
    point = yield from _bisect(clean, point, norm, batch, theta)


class Recorder:
  """Wraps a classifier and keeps what it was asked, in order: images and logits."""

  def __init__(self, classifier):
    self.seen = []

    def forward(classifier, images):
      logits = classifier(images)
      jax.debug.callback(self._keep, images, logits, ordered=True)
      return logits

    self.classifier = jax.tree_util.Partial(forward, classifier)

  def _keep(self, images, logits):
    self.seen.append((np.array(images), np.array(logits)))


def across(logits, label):
  """Which images fool."""
  return logits.argmax(axis=1) != label


def price(distance, logits, label):
  """What an image that fools costs: one percent more where its lead may be rounding."""
  others = np.delete(logits, label).max()
  barely = others - logits[label] <= 1e-5 * max(abs(others), abs(logits[label]))
  return distance * (1.01 if barely else 1)


def keys(key, count):
  """Those that `attacks.run` gives its first examples in its first attack, [count]."""
  rows = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))
  return jax.vmap(jax.random.fold_in, (0, None))(rows, 0)


def draws(key, count, draw):
  """A function from the number of a step to what ours draws for each example, [count, ...]."""
  first = keys(key, count)
  drawn = jax.jit(lambda n: jax.vmap(lambda key: draw(jax.random.fold_in(key, n)))(first))
  return lambda number: np.asarray(drawn(number))


def nearest(search, model, images, labels, noise, draw, steps, norm="l2"):
  """Sizes of the smallest perturbations that searches find in so many steps, [N]; 0 if none is due.

  `search` makes a generator from an image and what `noise` and `draw`, by step, draw for it.
  """
  drawn = {}
  searches = [
    search(image.astype(np.float64), lambda i=i: drawn["noise"][i], lambda i=i: drawn["draw"][i])
    for i, image in enumerate(images)
  ]
  sizes = np.full(len(images), np.inf)
  answers = [None] * len(images)
  for number in range(steps):
    drawn = {"noise": noise(number), "draw": draw(number)}
    asked = np.stack([search.send(a) for search, a in zip(searches, answers, strict=True)])
    answers = list(_ask(model, asked, labels))
    for i, (points, fools) in enumerate(zip(asked, answers, strict=True)):
      found = [_length(point - images[i], norm) for point in points[fools]]
      sizes[i] = min([sizes[i], *found])
  wrong = _ask(model, images[:, None], labels)[:, 0]
  return np.where(wrong, 0, sizes)


def _ask(model, images, labels):
  """Which of [N, n, H, W, 3] fool, [N, n]."""
  with torch.inference_mode():
    logits = model(torch.tensor(images, dtype=torch.float32).flatten(0, 1)).numpy()
  logits = logits.reshape(*images.shape[:2], -1)
  return np.stack([across(row, label) for row, label in zip(logits, labels, strict=True)])


def assert_as_strong(success, robust):
  """Exact McNemar: ours, of `success` [N], is not weaker than what left `robust` [N]."""
  only_ours, only_theirs = int((success & robust).sum()), int((~success & ~robust).sum())
  assert 0.1 < robust.mean() < 0.9
  assert abs(only_ours - only_theirs) <= 2
  if only_ours + only_theirs:
    test = stats.binomtest(only_theirs, only_ours + only_theirs, alternative="greater")
    assert test.pvalue > 0.05
