"""Counts the passes that a step really takes, by images."""

import collections
import functools

import jax
import jax.numpy as jnp

from jaxbench import attacks


def taken(attack, classifier, images, labels):
  """(forward, backward) passes of an attack's third step on one example."""
  passes = collections.Counter()

  def count(way, images):
    jax.debug.callback(functools.partial(passes.update, {way: len(images)}))

  @jax.custom_vjp
  def watched(images):
    count("forward", images)
    return classifier(images)

  def first(images):
    count("forward", images)
    return jax.vjp(classifier, images)

  def second(pull, cotangent):
    count("backward", cotangent)
    return pull(cotangent)

  watched.defvjp(first, second)
  step = jax.jit(lambda state: attack.step(watched, state))
  state = jax.jit(attack.init)(
    attacks.Example(jax.random.key(0), jnp.asarray(images[0]), jnp.int32(labels[0]), jnp.float32(0))
  )
  for _ in range(3):
    passes.clear()
    state = step(state)
    jax.effects_barrier()
  return passes["forward"], passes["backward"]
