"""Strict JAX on eight CPU devices: silent promotions, broadcasts and warnings are failures."""

import gc
import os
import pathlib

from references.command import CACHE, COMPILE_FAST, processor

os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count=8 {COMPILE_FAST}"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
# Nobody reads from where in Python each operation of a program comes: a tenth of the time to trace.
os.environ["JAX_TRACEBACK_IN_LOCATIONS_LIMIT"] = "0"
os.environ["JAX_INCLUDE_FULL_TRACEBACKS_IN_LOCATIONS"] = "0"
# Two workers' threads of torch would wait for one another, spinning, on two cores.
os.environ["OMP_NUM_THREADS"] = "1"
# Workers, and the next run, compile nothing that one of them has compiled before.
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(CACHE / processor())
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import hypothesis
import jax
import numpy as np
import pytest

from jaxbench import data, models

# Traces make millions of objects, and what is imported stays: to look through them all as often as
# Python does takes a twelfth of the time.
gc.freeze()
gc.set_threshold(50_000, 20, 100)

ROOT = pathlib.Path(__file__).parents[1]
_MANY = 20_000  # Mappings of memory; what one file adds to them must fit beside.
pytest_plugins = ("references.budget", "references.usual")

# Those that take long, the longest first.
LONG = (
  "attacks/laws_test.py",
  "cli_test.py",
  "attacks/contract_test.py",
  "evaluate/transfer_test.py",
  "evaluate/runner_test.py",
  "report/report_test.py",
  "evaluate/natural_test.py",
  "evaluate/several_hosts_test.py",
  "prompt_search/search_test.py",
  "models/weights/huggingface_test.py",
  "corruptions/contract_test.py",
  "training_test.py",
)

hypothesis.settings.register_profile("fast", deadline=None, max_examples=20, derandomize=True)
hypothesis.settings.load_profile("fast")


def pytest_collection_modifyitems(items):
  """Long files go first: one that starts last would leave the other workers idle."""
  rank = {ROOT / "tests" / name: place for place, name in enumerate(LONG)}
  items.sort(key=lambda item: rank.get(item.path, len(LONG)))


@pytest.fixture(scope="module", autouse=True)
def _let_go_of_programs():
  """Each holds several mappings of memory, of which Linux gives a process 65,530."""
  yield
  mappings = pathlib.Path("/proc/self/maps")
  if not mappings.exists() or len(mappings.read_bytes().splitlines()) > _MANY:
    jax.clear_caches()


@pytest.fixture(scope="session")
def scans():
  """All held-out scans: images float32 [360, 32, 32, 3] in [0, 1] and labels int32 [360]."""
  source = data.load("digits")
  images, labels = data.load_images(source, range(len(source)), models.Preprocess(32))
  return images.astype(np.float32) / 255, labels


@pytest.fixture(scope="session")
def clip():
  return models.load("digits-clip")


@pytest.fixture(scope="session")
def classifier(clip):
  return models.zero_shot(clip, data.load("digits").class_names, models.templates("simple"))


@pytest.fixture(scope="session")
def tiny():
  """A small random network of ten classes on 8x8 images, quick to compile."""
  draw = np.random.default_rng(3)
  weights = [draw.normal(size=shape).astype(np.float32) for shape in ((192, 16), (16, 10))]

  def forward(weights, images):
    hidden = np.sqrt(0.5) * jax.nn.gelu(images.reshape(len(images), -1) @ weights[0] - 1)
    return hidden.astype(np.float32) @ weights[1]

  return jax.tree_util.Partial(forward, weights)


@pytest.fixture(scope="session")
def examples(tiny):
  """Images float32 [24, 8, 8, 3] that `tiny` has right, with their labels int32 [24]."""
  draw = np.random.default_rng(4)
  images = draw.random((24, 8, 8, 3), np.float32)
  images[draw.random(images.shape) < 0.2] = 0  # Some pixels are at the border of the box.
  return images, np.asarray(tiny(images).argmax(axis=1), np.int32)


@pytest.fixture
def linear():
  """A linear classifier of three classes on 4x4 images, as a pytree callable."""
  weights = jax.random.normal(jax.random.key(7), (48, 3))
  return jax.tree_util.Partial(lambda w, x: x.reshape(len(x), -1) @ w, weights)
