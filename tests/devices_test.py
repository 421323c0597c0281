import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbench import data, devices


def _double(tree, rows):
  return {"double": tree["factor"] * rows, "device": jnp.full(len(rows), len(rows))}


@pytest.mark.parametrize("total", [1, 15, 16, 17, 40])
def test_streamed_rows_come_back_in_order_without_the_surplus(total):
  rows = np.arange(total, dtype=np.float32)
  replicated = devices.replicate({"factor": jnp.float32(2)})
  batches = list(devices.stream(devices.shard(_double), replicated, [rows], slots=2))
  fetched = [batch.fetch(lambda result: result["double"]) for batch in batches]
  np.testing.assert_array_equal(np.concatenate(fetched), 2 * rows)
  assert all((batch.result["device"] == 2).all() for batch in batches)


def test_batches_of_every_size_share_one_program():
  program = devices.shard(_double)
  replicated = devices.replicate({"factor": jnp.float32(2)})
  for total in (3, 16, 50):
    list(devices.stream(program, replicated, [np.zeros(total, np.float32)], slots=2))
  assert program._cache_size() == 1


def test_devices_do_not_wait_for_one_another():
  """Loops of different length on different devices: no collective is in the program."""

  def count(_, limits):
    return jax.lax.while_loop(lambda x: (x < limits).any(), lambda x: x + 1, jnp.zeros_like(limits))

  limits = np.arange(8, dtype=np.int32)
  program, nothing = devices.shard(count), devices.replicate(())
  np.testing.assert_array_equal(program(nothing, limits), limits)
  text = program.lower(nothing, limits).compile().as_text()
  assert not any(name in text for name in ("all-reduce", "all-gather", "collective-permute"))


def test_products_are_exact_float32():
  x = devices.shard(lambda w, rows: rows @ w)
  text = x.lower(devices.replicate(jnp.ones((4, 4))), jnp.ones((8, 4))).as_text()
  assert "HIGHEST" in text


def test_of_a_network_the_cpus_library_gets_products_alone():
  """With what surrounds them a ConvNeXt's gradient takes 1.2 times as long."""

  def network(weights, rows):
    hidden = rows @ weights
    return (hidden * jax.scipy.special.erf(hidden) + 1).sum(axis=1)

  given = devices.replicate(jnp.ones((64, 64))), jnp.ones((512, 64))
  default, ours = (
    devices.shard(network, network=flag).lower(*given).compile() for flag in (False, True)
  )
  np.testing.assert_allclose(ours(*given), default(*given), rtol=1e-5)
  calls = [line for line in ours.as_text().splitlines() if '"kind":"__ynn_fusion"' in line]
  assert all("dot_general" in line for line in calls)
  if devices.compiler_options():
    assert calls


def test_on_a_gpu_all_programs_are_compiled_alike(monkeypatch):
  """Triton's products take long to tune in a search for neighbours too."""
  monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
  options = devices.compiler_options()
  assert options == {"xla_gpu_enable_triton_gemm": False}
  assert devices.compiler_options(network=False) == options
  assert devices.compiler_options(quick=True) == options


def test_keys_come_from_ids_not_from_positions():
  ids = np.stack([data.hash_id(f"image {i}") for i in range(6)])
  perturbation = data.hash_id("noise")
  keys = jax.random.key_data(devices.example_keys(0, perturbation, ids))
  turned = jax.random.key_data(devices.example_keys(0, perturbation, ids[::-1]))
  np.testing.assert_array_equal(keys[::-1], turned)
  assert len(np.unique(keys, axis=0)) == 6
  others = (
    devices.example_keys(1, perturbation, ids),
    devices.example_keys(0, data.hash_id("x"), ids),
  )
  for other in others:
    assert not (np.asarray(jax.random.key_data(other)) == keys).all(axis=1).any()


def test_a_replicated_tree_comes_back_as_it_was(classifier):
  again = devices.replicate(classifier).tree()
  assert jax.tree.structure(again) == jax.tree.structure(classifier)
  for one, two in zip(jax.tree.leaves(classifier), jax.tree.leaves(again), strict=True):
    np.testing.assert_array_equal(one, two)
    assert len(two.sharding.device_set) == 8
