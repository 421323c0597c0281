"""AutoAttack's attacks in torch, written plainly from its papers and the rules of its code.

Images are [B, H, W, 3] in [0, 1]; a model maps them to logits. As in the official code, a batch
takes all its iterations, whether its examples are fooled or not, and success is any
misclassification on the way.
"""

import math

import torch

NORMS = {"linf": torch.inf, "l2": 2, "l1": 1}


def size(delta, norm):
  """[B, H, W, 3] -> [B]."""
  return torch.linalg.vector_norm(delta.flatten(1), NORMS[norm], dim=1)


def _wide(values):
  return values.view(-1, 1, 1, 1)


def cross_entropy(logits, labels):
  """In double precision: in single, a sure model's softmax rounds the label's share away."""
  return torch.nn.functional.cross_entropy(logits.double(), labels, reduction="none").float()


def margin(logits, labels):
  others = logits.scatter(1, labels[:, None], -torch.inf).max(dim=1).values
  return others - logits.gather(1, labels[:, None])[:, 0]


def dlr(logits, labels):
  ranked = logits.sort(dim=1, descending=True).values
  return margin(logits, labels) / (ranked[:, 0] - ranked[:, 2] + 1e-12)


def targeted_dlr(targets):
  def loss(logits, labels):
    ranked = logits.sort(dim=1, descending=True).values
    own, other = (logits.gather(1, index[:, None])[:, 0] for index in (labels, targets))
    return (other - own) / (ranked[:, 0] - (ranked[:, 2] + ranked[:, 3]) / 2 + 1e-12)

  return loss


def look(model, images, labels, loss):
  """Loss, gradient and logits of each example."""
  images = images.detach().requires_grad_()
  logits = model(images)
  values = loss(logits, labels)
  (gradient,) = torch.autograd.grad(values.sum(), images)
  return values.detach(), gradient, logits.detach()


def project(clean, images, radius, norm):
  """Into the ball, then the box; for l1 the nearest point of both, by bisection."""
  delta = images - clean
  if norm == "linf":
    return (clean + delta.clamp(-radius, radius)).clamp(0, 1)
  if norm == "l2":
    sizes = _wide(size(delta, norm))
    return (clean + delta / (sizes + 1e-12) * sizes.clamp(max=radius)).clamp(0, 1)

  def shrunk(amount):
    return (clean + delta.sign() * (delta.abs() - _wide(amount)).clamp(min=0)).clamp(0, 1)

  low, high = torch.zeros(len(clean)), delta.abs().flatten(1).max(dim=1).values
  fits = size(shrunk(low) - clean, norm) <= radius
  for _ in range(60):
    middle = (low + high) / 2
    over = size(shrunk(middle) - clean, norm) > radius
    low, high = torch.where(over, middle, low), torch.where(over, high, middle)
  return shrunk(torch.where(fits, torch.zeros_like(high), high))


def apgd(model, clean, labels, radius, start, loss, *, norm="linf", steps=100, official=True):
  """Yields the images that are looked at, one [B, H, W, 3] after another, with their logits."""
  window, passed, checks = max(int(0.22 * steps), 1), 0, {}
  while passed + window <= steps:
    passed += window
    checks[passed - 1] = window
    window = max(window - max(int(0.03 * steps), 1), max(int(0.06 * steps), 1))
  x = x_old = x_best = start
  value, gradient, logits = look(model, x, labels, loss)
  yield x, logits
  best, best_gradient = value.clone(), gradient.clone()
  step = torch.full((len(x),), 2.0 * radius)
  history = []
  checked_best, reduced = best.clone(), torch.ones(len(x), dtype=torch.bool)
  before_first = torch.zeros_like(value) if official else value
  for i in range(steps):
    a = 1.0 if i == 0 else 0.75
    momentum, x_old = x - x_old, x
    if norm == "linf":
      ahead = x + _wide(step) * gradient.sign()
    else:
      ahead = x + _wide(step) * gradient / (_wide(size(gradient, norm)) + 1e-12)
    ahead = project(clean, ahead, radius, norm)
    x = project(clean, x + a * (ahead - x) + (1 - a) * momentum, radius, norm)
    value, gradient, logits = look(model, x, labels, loss)
    yield x, logits
    history.append(value)
    better = value > best
    x_best = torch.where(_wide(better), x, x_best)
    best_gradient = torch.where(_wide(better), gradient, best_gradient)
    best = torch.where(better, value, best)
    if i in checks:
      k = checks[i]
      past = [before_first, *history]
      rises = sum((past[j + 1] > past[j]).int() for j in range(i - k + 1, i + 1))
      stuck = ~reduced & (checked_best >= best)
      reduced = (rises <= 0.75 * k) | stuck
      checked_best = best.clone()
      step = torch.where(reduced, step / 2, step)
      x = torch.where(_wide(reduced), x_best, x)
      gradient = torch.where(_wide(reduced), best_gradient, gradient)


def apgd_l1(model, clean, labels, radius, start, loss, *, steps=100):
  """Yields (images, logits, whether this is the smallest ball)."""
  size_of_image = clean[0].numel()
  lengths = [math.ceil(0.3 * steps), math.ceil(0.3 * steps)]
  lengths.append(steps - sum(lengths))
  begin = start
  for scale, length in zip((3, 2, 1), lengths, strict=True):
    reach = scale * radius
    x = x_best = project(clean, begin, reach, "l1")
    value, gradient, logits = look(model, x, labels, loss)
    yield x, logits, scale == 1
    best, best_gradient = value.clone(), gradient.clone()
    step = torch.full((len(x),), float(reach))
    nonzeros = (x != clean).flatten(1).sum(dim=1).float()
    share = nonzeros / size_of_image / 1.5
    every = max(int(0.04 * length), 1)
    for i in range(length):
      sizes = gradient.abs().flatten(1).sort(dim=1).values
      rank = ((1 - share) * size_of_image).clamp(0, size_of_image - 1).long()
      kept = gradient.abs() >= _wide(sizes.gather(1, rank[:, None])[:, 0])
      signs = (gradient * kept).sign()
      moved = x + _wide(step) * signs / (_wide(signs.abs().flatten(1).sum(dim=1)) + 1e-10)
      x = project(clean, moved, reach, "l1")
      value, gradient, logits = look(model, x, labels, loss)
      yield x, logits, scale == 1
      better = value > best
      x_best = torch.where(_wide(better), x, x_best)
      best_gradient = torch.where(_wide(better), gradient, best_gradient)
      best = torch.where(better, value, best)
      if (i + 1) % every == 0:
        now = (x_best != clean).flatten(1).sum(dim=1).float()
        falling = now / nonzeros < 0.95
        share = now / size_of_image / 1.5
        step = torch.where(falling, torch.full_like(step, reach), step / 1.5)
        step = step.clamp(reach / 10, reach)
        nonzeros = now
        x = torch.where(_wide(falling), x_best, x)
        gradient = torch.where(_wide(falling), best_gradient, gradient)
    begin = x_best


def square_linf(model, clean, labels, radius, draw, *, queries=5000, share=0.8):
  """Whether each example is fooled; windows are shared by the batch, as in the official code."""
  batch, height, width, _ = clean.shape
  signs = torch.randint(0, 2, (batch, 1, width, 3), generator=draw).float() * 2 - 1
  x = (clean + radius * signs).clamp(0, 1)
  best = margin(model(x), labels)
  for i in range(queries):
    p = share / 2 ** sum(i > bound for bound in (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000))
    side = min(max(round(math.sqrt(p * height * width)), 1), min(height, width))
    row, column = ((torch.rand((), generator=draw) * (n - side)).int() for n in (height, width))
    sign = torch.randint(0, 2, (1, 1, 1, 3), generator=draw).float() * 2 - 1
    trial = x.clone()
    trial[:, row : row + side, column : column + side] += 2 * radius * sign
    trial = project(clean, trial, radius, "linf")
    alive = best <= 0
    if not alive.any():
      break
    values = margin(model(trial[alive]), labels[alive])
    better = torch.zeros_like(alive)
    better[alive] = values > best[alive]
    best[alive] = torch.maximum(values, best[alive])
    x = torch.where(_wide(better), trial, x)
  return best > 0


def _onto_hyperplane(points, slope, gap):
  """The linf-smallest move inside the box after which slope . move = -gap, by bisection.

  Where even the whole box is too small, it moves as far as the box goes.
  """
  slope = torch.where(_wide(gap) < 0, -slope, slope)  # The sum is to fall by `need`.
  need = gap.abs()
  room = torch.where(slope > 0, points, 1 - points)
  low, high = torch.zeros(len(points)), torch.ones(len(points))
  for _ in range(50):
    middle = (low + high) / 2
    gain = (slope.abs() * torch.minimum(room, _wide(middle))).flatten(1).sum(dim=1)
    low, high = torch.where(gain < need, middle, low), torch.where(gain < need, high, middle)
  return -slope.sign() * torch.minimum(room, _wide(high))


def fab_linf(model, clean, labels, targets, *, steps=100):
  """Distance [B] of the smallest perturbation found on the way to class `targets` [B], or inf."""
  x, best = clean, torch.full((len(clean),), torch.inf)

  def gap_to(logits, labels):
    return (logits.gather(1, targets[:, None]) - logits.gather(1, labels[:, None]))[:, 0]

  for _ in range(steps):
    gap, slope, _ = look(model, x, labels, gap_to)
    there_gap = gap + (slope * (clean - x)).flatten(1).sum(dim=1)
    here, there = _onto_hyperplane(x, slope, gap), _onto_hyperplane(clean, slope, there_gap)
    one, two = (size(move, "linf").clamp(min=1e-8) for move in (here, there))
    bias = _wide((one / (one + two)).clamp(0, 0.1))
    x = ((1 - bias) * (x + 1.05 * here) + bias * (clean + 1.05 * there)).clamp(0, 1)
    with torch.no_grad():
      across = model(x).argmax(dim=1) != labels
    distance = size(x - clean, "linf")
    best = torch.where(across & (distance < best), distance, best)
    x = torch.where(_wide(across), clean + 0.9 * (x - clean), x)
  return best


def autoattack_linf(
  model, images, labels, radius, draw, *, steps, targets, queries, parts, batch=64, stops=False
):
  """Whether each example withstands, by attack, and the gradients it took in all.

  Each attack runs on what those before it left, in batches, target by target. One that `stops` ends
  its ascent where the whole batch is fooled, which saves gradients and changes no verdict.
  """
  gradients = 0

  def in_batches(attack, robust):
    rows = robust.nonzero()[:, 0]
    for some in rows.split(batch):
      robust[some] = attack(images[some], labels[some])

  def ascend(clean, classes, loss):
    nonlocal gradients
    noise = torch.rand(clean.shape, generator=draw) * 2 - 1
    start = (clean + radius * noise / noise.abs().amax(dim=(1, 2, 3), keepdim=True)).clamp(0, 1)
    alive = torch.ones(len(clean), dtype=torch.bool)
    for _, seen in apgd(model, clean, classes, radius, start, loss, steps=steps):
      alive &= seen.argmax(dim=1) == classes
      gradients += len(clean)
      if stops and not alive.any():
        break
    return alive

  def by_target(rank, aim):
    def attack(clean, classes):
      with torch.no_grad():
        ranked = model(clean).sort(dim=1, descending=True).indices
      return aim(clean, classes, ranked[:, rank])

    return attack

  def towards(clean, classes, aims):
    return ascend(clean, classes, targeted_dlr(aims))

  def project_towards(clean, classes, aims):
    nonlocal gradients
    gradients += steps * len(clean)
    return fab_linf(model, clean, classes, aims, steps=steps) > radius

  def search(clean, classes):
    with torch.no_grad():
      return ~square_linf(model, clean, classes, radius, draw, queries=queries)

  runs = {
    "apgd-ce": [lambda clean, classes: ascend(clean, classes, cross_entropy)],
    "apgd-t": [by_target(rank, towards) for rank in range(1, targets + 1)],
    "fab-t": [by_target(rank, project_towards) for rank in range(1, targets + 1)],
    "square": [search],
  }
  with torch.no_grad():
    robust = torch.cat([model(some).argmax(dim=1) for some in images.split(batch)]) == labels
  left = {}
  for part in parts:
    for run in runs[part]:
      in_batches(run, robust)
    left[part] = robust.clone()
  return left, gradients
