"""Ensembles against torch, and the two attacks' options that transfer needs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jaxbench import attacks, errors
from jaxbench.attacks.parts import losses

WEIGHTS = [np.random.default_rng(seed).normal(size=(48, 3)).astype(np.float32) for seed in (0, 1)]


def _linear(weights):
  return jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, jnp.asarray(weights))


def _images(count=5):
  return np.random.default_rng(2).random((count, 4, 4, 3), np.float32)


MEMBERS = tuple(_linear(weights) for weights in WEIGHTS)
LABELS = np.array([0, 1, 2, 1, 0], np.int32)


@pytest.mark.parametrize("combine", ["logits", "losses"])
def test_an_ensemble_is_the_mean_of_its_members(combine):
  flat = torch.tensor(_images()).flatten(1)
  each = [flat @ torch.tensor(weights) for weights in WEIGHTS]
  if combine == "losses":
    each = [torch.log_softmax(logits, dim=1) for logits in each]
  expected = torch.stack(each).mean(dim=0)
  mean = jax.jit(lambda model, x: model(x))(attacks.ensemble(MEMBERS, combine), _images())
  np.testing.assert_allclose(mean, expected, atol=1e-5)


def test_the_label_logit_of_mean_log_softmaxes_is_the_mean_cross_entropy():
  images = torch.tensor(_images(), requires_grad=True)
  flat = images.flatten(1)
  entropies = [
    torch.nn.functional.cross_entropy(
      flat @ torch.tensor(weights), torch.tensor(LABELS).long(), reduction="none"
    )
    for weights in WEIGHTS
  ]
  expected = torch.stack(entropies).mean(dim=0)
  expected.sum().backward()

  def loss(images):
    logits = attacks.ensemble(MEMBERS, "losses")(images)
    values = jax.vmap(losses.get("label_logit"))(logits, LABELS)
    return values.sum(), values

  gradient, values = jax.grad(loss, has_aux=True)(jnp.asarray(_images()))
  np.testing.assert_allclose(values, expected.detach(), rtol=1e-5)
  np.testing.assert_allclose(gradient, images.grad, rtol=1e-4, atol=1e-6)


def test_an_ensemble_computes_in_another_dtype_if_all_of_it_can(classifier):
  searching = attacks.ensemble([classifier, classifier], "losses").compute_in("bfloat16")
  assert [one.visual.compute_dtype for one in searching.classifiers] == ["bfloat16"] * 2
  assert searching.combine == "losses"
  with pytest.raises(errors.InputError, match="only if all its members can"):
    attacks.ensemble(MEMBERS).compute_in("bfloat16")


@pytest.mark.parametrize(
  ("arguments", "message"),
  [(((),), "at least one classifier"), ((MEMBERS, "logit"), "Did you mean 'logits'?")],
)
def test_bad_ensembles_are_refused(arguments, message):
  with pytest.raises(errors.InputError) as error:
    attacks.ensemble(*arguments)
  assert message in str(error.value)


def test_fgsm_that_keeps_going_steps_where_the_image_fools_already():
  """On a linear model the full step always has the larger cross-entropy."""
  model, images, epsilon = MEMBERS[0], _images(), np.float32(0.03)
  attack = attacks.fgsm(keep_going=True)
  for label in range(3):  # The model has two of the three wrong.
    state = attack.init(attacks.Example(jax.random.key(0), images[0], jnp.int32(label), epsilon))
    for _ in range(attack.steps):
      state = attack.step(model, state)
    slope = jax.grad(lambda x, label=label: losses.cross_entropy(model(x[None])[0], label))(
      images[0]
    )
    expected = np.clip(images[0] + epsilon * np.sign(slope), 0, 1)
    np.testing.assert_allclose(state.image, expected, atol=1e-6)
    assert state.progress.done
