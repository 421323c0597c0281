"""A search for prompts of tokens by the gradients of their embeddings (CLIP-Auto).

HotFlip (Ebrahimi et al., 2018, arXiv:1712.06751) and AutoPrompt (Shin et al., 2020,
arXiv:2010.15980), whose inner loop RoZ's logs suggest; its code and settings are not public. Images
are embedded once, so an iteration costs the text tower over the classes, once for each candidate
and a few times for the gradient.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbench import devices, errors
from jaxbench.models.encoders import tokenizer
from jaxbench.models.prompting.prompt_loss import Task, score


class Scored(NamedTuple):
  """A prompt and how it does on all images of the task."""

  ids: tuple[int, ...]
  loss: float  # Mean cross-entropy.
  accuracy: float

  @property
  def text(self) -> str:
    """For people: encoding it may give other ids."""
    return tokenizer.decode(self.ids)


class Step(NamedTuple):
  """One iteration."""

  position: int  # Whose token was to be replaced.
  best: Scored  # Of the candidates.
  accepted: bool


class Search(NamedTuple):
  """What was found."""

  prompts: tuple[Scored, ...]  # Of all that were scored, the best, lowest loss first.
  start: Scored
  steps: tuple[Step, ...]
  converged: bool  # No candidate at any position is better than the best prompt.


def search_prompts(
  task: Task,
  start: Sequence[int],
  *,
  candidates: int = 40,
  iterations: int = 100,
  keep: int = 1,
  report: Callable[[Step], None] = lambda step: None,
) -> Search:
  """Replaces one token after another, round and round, as long as the loss falls.

  An iteration looks at one position. Of the tokens that decode to something printable it takes the
  `candidates` whose embeddings promise the lowest loss to first order, scores each on all images,
  and keeps the best if its loss is strictly lower than before. Equal promises go to the smaller
  row of the embedding table, equal losses to the smaller id. It ends after `iterations`, or when
  every position was looked at since the last change. Nothing is random.

  Args:
    task: to do well on.
    start: ids [n] of the first prompt.
    candidates: scored in an iteration; fewer where there are not so many tokens.
    iterations: at most.
    keep: prompts in the result.
    report: is called after each iteration.

  Raises:
    InputError: there is nothing to replace tokens by.
  """
  allowed = _allowed(task.text.vocabulary)
  count = min(candidates, int(allowed.sum()) - 1)  # The token that is there is none of them.
  if count < 1:
    raise errors.InputError("this model's embedding table has no printable tokens to try")
  everywhere = devices.replicate(task)
  (first,) = _score(everywhere, np.array([start], np.int32), count)
  best, scored, steps = first, {first.ids: first}, list[Step]()
  unchanged = 0
  while len(steps) < iterations and unchanged < len(start):
    position = len(steps) % len(start)
    tokens = _promising(task, jnp.array(best.ids, jnp.int32), jnp.int32(position), allowed, count)
    prompts = np.repeat(np.array([best.ids], np.int32), count, axis=0)
    prompts[:, position] = tokens
    neighbours = _score(everywhere, prompts, count)
    scored |= {prompt.ids: prompt for prompt in neighbours}
    winner = min(neighbours, key=_rank)
    steps.append(Step(position, winner, winner.loss < best.loss))
    best, unchanged = (winner, 0) if steps[-1].accepted else (best, unchanged + 1)
    report(steps[-1])
  ranked = sorted(scored.values(), key=_rank)
  return Search(tuple(ranked[:keep]), first, tuple(steps), unchanged == len(start))


def _rank(prompt: Scored) -> tuple[float, tuple[int, ...]]:
  return prompt.loss, prompt.ids


def _allowed(vocabulary: tuple[int, ...] | None) -> np.ndarray:
  """bool [V]: rows of an embedding table whose tokens may stand in a prompt."""
  shown = tokenizer.printable()
  return shown if vocabulary is None else shown[list(vocabulary)]


@functools.partial(jax.jit, static_argnames="count")
def _promising(
  task: Task, ids: jax.Array, position: jax.Array, allowed: jax.Array, count: int
) -> jax.Array:
  """The tokens, int32 [count], that lower the loss most at `position` to first order.

  The loss changes by (e - e') . g, with e the embedding of a token, e' that of the one which is
  there, and g the loss's gradient at e'.
  """
  with jax.default_matmul_precision("highest"):
    vectors = task.text.embed(ids[None])[0]
    gradient = jax.grad(lambda context: score(task, context)[0])(vectors)[position]
    table = task.text.token_embedding[...].astype(gradient.dtype)
    change = table @ gradient
  cut = task.text.vocabulary
  vocabulary = jnp.arange(len(change)) if cut is None else jnp.array(cut, jnp.int32)
  usable = allowed & (vocabulary != ids[position])
  _, rows = jax.lax.top_k(jnp.where(usable, -change, -jnp.inf), count)
  return vocabulary[rows]


def _score(everywhere: devices.Replicated, prompts: np.ndarray, count: int) -> list[Scored]:
  """Of up to `count` prompts [M, n], in one program."""
  slots = -(-count // devices.mesh().size)
  (batch,) = devices.stream(_scores(), everywhere, (prompts,), slots)
  losses, accuracies = batch.fetch()
  return [
    Scored(tuple(ids), float(loss), float(accuracy))
    for ids, loss, accuracy in zip(prompts.tolist(), losses, accuracies, strict=True)
  ]


@functools.cache
def _scores() -> Callable[..., tuple[jax.Array, jax.Array]]:
  """A program (task, prompts int32 [M, n]) -> loss and accuracy, float32 [M] each.

  One prompt after another: its classes fill a device, and its rounding does not depend on how many
  devices share the others.
  """

  def scores(task: Task, prompts: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jax.lax.map(lambda ids: score(task, task.text.embed(ids[None])[0]), prompts)

  return devices.shard(scores)
