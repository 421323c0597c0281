"""Counts the passes that a step really takes."""

import collections
import functools

import jax
import jax.numpy as jnp


def taken(attack, classifier, images, labels):
  """(forward, backward) passes of an attack's third step on one example."""
  passes = collections.Counter()
  forward, backward = (
    functools.partial(jax.debug.callback, functools.partial(passes.update, [way]))
    for way in ("forward", "backward")
  )

  @jax.custom_vjp
  def watched(images):
    forward()
    return classifier(images)

  def first(images):
    forward()
    return jax.vjp(classifier, images)

  def second(pull, cotangent):
    backward()
    return pull(cotangent)

  watched.defvjp(first, second)
  step = jax.jit(lambda state: attack.step(watched, state))
  state = attack.init(
    jax.random.key(0), jnp.asarray(images[0]), jnp.int32(labels[0]), jnp.float32(0)
  )
  for _ in range(3):
    passes.clear()
    state = step(state)
    jax.effects_barrier()
  return passes["forward"], passes["backward"]
