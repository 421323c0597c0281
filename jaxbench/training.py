"""Trains the embedded models on the training scans: a CLIP, its robust twin, and a ResNet.

The same classes carry real weights. The robust twin is CLIP fine-tuned on adversarial examples
(Madry et al., 2018); a ResNet's batch norms stay on their initial statistics.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from etils import epath
from flax import nnx

from jaxbench import config, data, errors, models
from jaxbench.attacks.parts import norms
from jaxbench.telemetry.progress import Progress

_PREPROCESS = models.Preprocess(size=32)
_FIRST_STAGE = 16  # ResNet channels.
_ADVERSARY_STEPS = 3
_CAPTIONS = ("class_name", "simple", "openai_7", "openai_80")  # Prompt sets.

# (model, images [B, H, W, 3], labels [B], key, progress from 0 to 1) -> [].
LossFn = Callable[[Any, jax.Array, jax.Array, jax.Array, jax.Array], jax.Array]


def run(settings: config.Training, workdir: epath.Path) -> None:
  """Trains and writes `workdir/digits-clip`, `digits-clip-robust` and `digits-resnet`.

  Raises:
    InputError: the folder is not empty.
  """
  if workdir.exists() and any(workdir.iterdir()):
    raise errors.InputError(f"--workdir={workdir} is not empty; name a new folder")
  source = data.Digits("train")
  images, labels = data.load_images(source, range(len(source)), _PREPROCESS)
  training_set = (images.astype(np.float32) / 255, labels)
  captions, vocabulary = _captions(source.class_names)
  clip_config = models.CLIPConfig(
    embed_dim=64,
    vision=models.TowerConfig(64, 3, 2, 256, "quick_gelu"),
    text=models.TowerConfig(64, 2, 2, 256, "quick_gelu"),
    patch_size=8,
    preprocess=_PREPROCESS,
    vocabulary=vocabulary,
  )
  clip = models.CLIP(clip_config, rngs=nnx.Rngs(settings.seed))
  clean, robust = _losses(captions, settings)
  fitted = _fit(clip, clean, training_set, settings, settings.steps, settings.learning_rate)
  _save(fitted, workdir / "digits-clip")
  twin = _fit(
    fitted, robust, training_set, settings, settings.robust_steps, settings.robust_learning_rate
  )
  _save(twin, workdir / "digits-clip-robust")
  resnet_config = models.ResNetConfig(
    depths=(1, 1, 1),
    width=_FIRST_STAGE,
    num_classes=len(source.class_names),
    preprocess=_PREPROCESS,
  )
  resnet = models.ResNet(resnet_config, rngs=nnx.Rngs(settings.seed))
  fitted = _fit(
    resnet, supervised_loss, training_set, settings, settings.steps, settings.learning_rate
  )
  _save(fitted, workdir / "digits-resnet")


def _save(model: Any, folder: epath.Path) -> None:
  models.save(model, folder, "configs/train_digits.py: UCI digits, training split")
  print(f"wrote {folder}")


def _captions(class_names: tuple[str, ...]) -> tuple[np.ndarray, tuple[int, ...]]:
  """Tokens int32 [templates, K, T] of all captions, and the ids a cut table must keep."""
  templates = [str(template) for name in _CAPTIONS for template in models.templates(name)]
  tokens = models.tokenize([t.replace("{}", name) for t in templates for name in class_names])
  longest = int(tokens.argmax(axis=1).max()) + 1
  vocabulary = tuple(np.unique(tokens).tolist())
  return tokens[:, :longest].reshape(len(templates), len(class_names), longest), vocabulary


def supervised_loss(
  model: Any, images: jax.Array, labels: jax.Array, key: jax.Array, progress: jax.Array
) -> jax.Array:
  """Mean cross-entropy of a classifier on a batch shifted by up to 2 pixels."""
  return _cross_entropy(model(_shifted(images, key)), labels)


def _losses(captions: np.ndarray, settings: config.Training) -> tuple[LossFn, LossFn]:
  """CLIP's loss, each image against one caption of each class, on clean and attacked images."""

  def classifier(clip: models.CLIP, key: jax.Array) -> models.ZeroShot:
    chosen = jax.random.randint(key, (captions.shape[1],), 0, captions.shape[0])
    tokens = jnp.asarray(captions)[chosen, jnp.arange(captions.shape[1])]
    text = clip.encode_text(tokens)
    text = text / jnp.linalg.norm(text, axis=-1, keepdims=True)
    return models.ZeroShot(clip.visual, text.T, clip.logit_scale, clip.logit_bias)

  def clean(
    clip: models.CLIP, images: jax.Array, labels: jax.Array, key: jax.Array, progress: jax.Array
  ) -> jax.Array:
    shift, caption = jax.random.split(key)
    return _cross_entropy(classifier(clip, caption)(_shifted(images, shift)), labels)

  def robust(
    clip: models.CLIP, images: jax.Array, labels: jax.Array, key: jax.Array, progress: jax.Array
  ) -> jax.Array:
    shift, caption, noise = jax.random.split(key, 3)
    target, images = classifier(clip, caption), _shifted(images, shift)
    epsilon = settings.robust_epsilon * jnp.minimum(2 * progress, 1.0)
    attacked = _attacked(target, images, labels, epsilon, noise)
    return _cross_entropy(target(jax.lax.stop_gradient(attacked)), labels)

  return clean, robust


def _attacked(
  classifier: Any, images: jax.Array, labels: jax.Array, epsilon: jax.Array, key: jax.Array
) -> jax.Array:
  """A few full-strength PGD steps for the whole batch."""
  ball = norms.get("linf")
  gradient = jax.grad(lambda x: _cross_entropy(classifier(x), labels))
  x = ball.project(images, images + ball.sample(key, images, epsilon), epsilon)
  for _ in range(_ADVERSARY_STEPS):
    stride = 2.5 / _ADVERSARY_STEPS * epsilon
    x = ball.project(images, x + stride * ball.steepest(gradient(x), x), epsilon)
  return x


def _cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
  return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def _shifted(images: jax.Array, key: jax.Array) -> jax.Array:
  """Each image moved by up to 2 pixels, zeros moving in."""
  padded = jnp.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
  offsets = jax.random.randint(key, (len(images), 2), 0, 5)

  def crop(image: jax.Array, offset: jax.Array) -> jax.Array:
    return jax.lax.dynamic_slice(image, (offset[0], offset[1], 0), images.shape[1:])

  return jax.vmap(crop)(padded, offsets)


def _fit(
  model: Any,
  loss: LossFn,
  training_set: tuple[np.ndarray, np.ndarray],
  settings: config.Training,
  steps: int,
  learning_rate: float,
) -> Any:
  """A copy of `model` after `steps` of AdamW, warmed up and decayed along a cosine."""
  images, labels = map(jnp.asarray, training_set)
  graph, params, *fixed = nnx.split(model, nnx.Param, ...)
  schedule = optax.warmup_cosine_decay_schedule(0.0, learning_rate, steps // 20 + 1, steps)
  optimizer = optax.chain(
    optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=settings.weight_decay)
  )

  @functools.partial(jax.jit, donate_argnums=(0, 1))
  def update(params: Any, state: Any, step: jax.Array) -> tuple[Any, Any, jax.Array]:
    pick, key = jax.random.split(jax.random.fold_in(jax.random.key(settings.seed), step))
    rows = jax.random.randint(pick, (settings.batch_size,), 0, len(images))

    def objective(params: Any) -> jax.Array:
      merged = nnx.merge(graph, params, *fixed)
      return loss(merged, images[rows], labels[rows], key, step / steps)

    value, gradients = jax.value_and_grad(objective)(params)
    updates, state = optimizer.update(gradients, state, params)
    return optax.apply_updates(params, updates), state, value

  params = jax.tree.map(jnp.copy, params)  # The caller's arrays are not donated.
  state = optimizer.init(params)
  with contextlib.closing(Progress(steps, 0, "step")) as progress:
    for step in range(steps):
      params, state, value = update(params, state, jnp.int32(step))
      progress.update(1)
      if step % 20 == 0:
        progress.show(f"{type(model).__name__}, loss {value:.4f}")
  return nnx.merge(graph, params, *fixed)
