"""PyTorch modules through XLA: equal to torch, also in gradients; refused where they are not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import transformers
from references import checkpoints, networks
from torch import nn

from jaxbench import attacks, errors, models
from jaxbench.models.foreign import torch_bridge

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def _vit():
  config = transformers.ViTConfig(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    image_size=32,
    patch_size=8,
    num_labels=7,
  )
  return transformers.ViTForImageClassification(config)


def _resnet():
  resnet = networks.ResNet((1, 1, 1, 1), 16, False, 7)
  for module in resnet.modules():
    if isinstance(module, nn.BatchNorm2d):
      module.running_mean.normal_(0, 0.1)
      module.running_var.uniform_(0.5, 2)
  return resnet


MODULES = {"resnet": _resnet, "transformers": _vit}


@pytest.fixture(scope="module", params=MODULES)
def pair(request):
  torch.manual_seed(0)
  module = MODULES[request.param]().eval()
  return module, models.from_torch(module, models.Preprocess(32), mean=MEAN, std=STD)


def _images(count=2):
  return np.random.default_rng(1).random((count, 32, 32, 3), np.float32)


def _torch(module, images):
  shift, scale = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (MEAN, STD))
  output = module((images.permute(0, 3, 1, 2) - shift) / scale)
  return getattr(output, "logits", output)


@pytest.mark.usual("resnet")
def test_outputs_and_gradients_are_those_of_torch(pair):
  module, bridged = pair
  images = torch.tensor(_images(), requires_grad=True)
  logits = _torch(module, images)
  logits.square().sum().backward()
  found = bridged(jnp.asarray(_images()))
  logits = logits.detach().numpy()
  np.testing.assert_allclose(found, logits, atol=1e-5 * np.ptp(logits))
  gradient = jax.jit(jax.grad(lambda x: jnp.square(bridged(x)).sum()))(_images())
  expected = images.grad.numpy()
  np.testing.assert_allclose(gradient, expected, atol=1e-4 * np.abs(expected).max())


def test_weights_are_arguments_of_programs(pair):
  _, bridged = pair
  traced = jax.make_jaxpr(lambda model, images: model(images))(bridged, _images())
  assert not [constant for constant in traced.consts if np.size(constant) > 3]


@pytest.mark.usual("transformers")
def test_it_is_attacked_as_any_other_model(pair):
  module, bridged = pair
  images = _images(8)
  labels = np.asarray(bridged(images).argmax(axis=1), np.int32)
  result = attacks.run(attacks.pgd(steps=5), bridged, images, labels, 16 / 255, 0, slots=1)
  assert result.success.any()
  seen = _torch(module, torch.tensor(result.adversarial)).argmax(dim=1).numpy()
  np.testing.assert_array_equal(seen, result.prediction)


@pytest.mark.slow
def test_the_module_is_left_as_it_was_and_may_train_on():
  module = _resnet().train()
  before = models.from_torch(module, models.Preprocess(32))
  assert module.training
  images = _images()
  first = before(images)
  with torch.no_grad():
    module.fc.weight.add_(1)
  np.testing.assert_array_equal(before(images), first)
  assert models.from_torch(module, models.Preprocess(32)).sha256 != before.sha256


@pytest.mark.usual("transformers")
def test_half_precision_is_near(pair):
  _, bridged = pair
  images = _images()
  full, half = bridged(images), bridged.compute_in("bfloat16")(images)
  assert half.dtype == jnp.float32
  assert 0 < np.abs(full - half).max() < 0.1 * np.ptp(full)


class _Tokenizer:
  def __call__(self, sentences):
    return {
      "input_ids": torch.tensor([[1, len(text), 3 + ord(text[0]) % 50, 2] for text in sentences])
    }


@pytest.mark.slow
def test_a_dual_encoder_is_zero_shot_and_its_texts_stay_in_torch():
  torch.manual_seed(0)
  module = checkpoints.clip().eval()
  size = module.config.vision_config.image_size
  custom = models.from_torch(module, models.Preprocess(size), tokenizer=_Tokenizer())
  assert not [name for name in custom.visual.weights if name.startswith("text_model")]
  classifier = models.zero_shot(custom, ["cat", "dog"], ["a {}", "my {}"])
  images = np.random.default_rng(1).random((2, size, size, 3), np.float32)
  with torch.no_grad():
    pixels = torch.tensor(images).permute(0, 3, 1, 2)
    seen = module.get_image_features(pixel_values=pixels)
    read = module.get_text_features(**_Tokenizer()(["a cat", "my cat", "a dog", "my dog"]))
    seen, read = (getattr(output, "pooler_output", output) for output in (seen, read))
    unit = nn.functional.normalize
    text = unit(unit(read, dim=-1).unflatten(0, (2, 2)).mean(dim=1), dim=-1)
    expected = module.logit_scale.exp() * unit(seen, dim=-1) @ text.T
  np.testing.assert_allclose(classifier(images), expected.numpy(), atol=1e-4)


def test_towers_that_take_tensors_come_before_those_that_read_files(monkeypatch):
  """A jina-clip has both; its `encode_image` takes names of files, `encode_text` sentences."""
  for name in ("encode_image", "encode_text"):
    monkeypatch.setattr(transformers.CLIPModel, name, lambda *_: pytest.fail(), raising=False)
  custom = models.from_torch(checkpoints.clip(), models.Preprocess(32), tokenizer=_Tokenizer())
  assert custom.encode_texts(["a cat"]).shape == (1, 24)


class Net(nn.Module):
  def __init__(self):
    super().__init__()
    self.layer = nn.Linear(3, 5)
    self.scale = torch.full((5,), 2.0)  # Neither a parameter nor a buffer.

  def forward(self, images):
    return self.layer(images.mean((2, 3))) * self.scale


class Branching(Net):
  def forward(self, images):
    return super().forward(images if images.sum() > 0 else -images)


@torch.library.custom_op("jaxbench_test::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
  return 2 * x


class Unknown(Net):
  def forward(self, images):
    return twice(super().forward(images))


class Random(Net):
  def forward(self, images):
    return super().forward(images) + torch.rand(5)


class Normalising(Net):
  def __init__(self):
    super().__init__()
    self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))

  def forward(self, images):
    return super().forward(images - self.mean)


class Pair(Net):
  def forward(self, images):
    return super().forward(images), images


def test_any_attribute_that_is_a_tensor_is_a_weight():
  custom = models.from_torch(Net(), models.Preprocess(4))
  assert set(custom.visual.weights) == {"layer.weight", "layer.bias", "scale"}


@pytest.mark.parametrize(
  ("kind", "message"),
  [
    (Branching, "torch_bridge_test.py, line .*images.sum.*depends on the values of the images"),
    (Unknown, "torch_bridge_test.py, line .*twice"),
    (Random, "Random draws random numbers: two calls with the same images differ"),
    (Normalising, "holds mean=.* itself, as mean: images would be normalised twice"),
    (Pair, "the module returns a tuple, not a tensor"),
  ],
)
def test_what_cannot_be_had_is_one_line(kind, message):
  with pytest.raises(errors.InputError, match=message) as raised:
    models.from_torch(kind(), models.Preprocess(4), mean=MEAN, std=STD)
  assert "\n" not in str(raised.value)


def test_a_difference_from_torch_is_told_with_both_numbers(monkeypatch):
  exact = torch_bridge.Bridged.__call__
  monkeypatch.setattr(torch_bridge.Bridged, "__call__", lambda *args: exact(*args) * 1.01)
  with pytest.raises(errors.InputError, match=r"Net differs in XLA by 0\.\d+ from torch"):
    models.from_torch(Net(), models.Preprocess(4))
  models.from_torch(Net(), models.Preprocess(4), check=False)


def test_a_module_that_raises_is_one_line():
  small = nn.Sequential(nn.Flatten(), nn.Linear(48, 5))
  with pytest.raises(errors.InputError, match=r"does not take images \[2, 3, 8, 8\]: .*shapes"):
    models.from_torch(small, models.Preprocess(8))
  with pytest.raises(errors.InputError, match=r"cannot be copied: .*meta"):
    models.from_torch(small.to("meta"), models.Preprocess(4))


def test_what_is_no_module_or_lacks_a_tokenizer_is_told():
  with pytest.raises(errors.InputError, match=r"takes a torch\.nn\.Module, not a int"):
    models.from_torch(3, models.Preprocess(4))
  with pytest.raises(errors.InputError, match="needs tokenizer="):
    models.from_torch(checkpoints.clip(), models.Preprocess(32))
  with pytest.raises(errors.InputError, match=r"use models\.from_torch"):
    models.Custom(Net(), models.Preprocess(4))
