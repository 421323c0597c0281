"""Vision towers alone, as robust ones are published, on the models whose text towers they share."""

import json

import jax
import numpy as np
import pytest
import torch
import transformers as hf
from references import checkpoints, networks, parity
from references.command import call
from references.writers import open_clip

from jaxbench import config, errors, models, plan, records
from jaxbench.evaluate import runner

IMAGES = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
VISION = {"image_size": 32, "layers": 2, "width": 48, "patch_size": 8, "head_width": 16}
RESNET = {"image_size": 64, "layers": [1, 1, 2, 1], "width": 16, "patch_size": None}
TEXT = {"width": 32, "heads": 4, "layers": 1}
ENCODE = jax.jit(lambda visual, images: visual(images))


def same(clip, tower, images=IMAGES):
  """Whether images are encoded as a tower of torch encodes them."""
  mean, std = np.float32(clip.config.mean), np.float32(clip.config.std)
  with torch.no_grad():
    expected = tower(torch.tensor((images - mean) / std).permute(0, 3, 1, 2)).numpy()
  found = np.asarray(ENCODE(clip.visual, images))
  return np.abs(found - expected).max() <= 1e-5 * np.ptp(expected)


def equal(one, two):
  leaves = zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True)
  return all(np.array_equal(a, b) for a, b in leaves)


def write_base(folder, vision=VISION, **quick):
  """A CLIP in open_clip's folder; its network."""
  torch.manual_seed(0)
  clip = open_clip.CLIP(24, vision, TEXT, **quick).eval()
  checkpoints.write_safetensors(clip.state_dict(), folder / "open_clip_model.safetensors")
  content = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": TEXT, **quick}
  written = {"model_cfg": content, "preprocess_cfg": {}}
  (folder / "open_clip_config.json").write_text(json.dumps(written))
  return clip


@pytest.fixture(scope="module")
def base(tmp_path_factory):
  folder = tmp_path_factory.mktemp("base")
  write_base(folder, quick_gelu=True)
  return str(folder)


@pytest.fixture(scope="module")
def tower():
  """Trained further: the same network with other weights."""
  return parity.randomize(open_clip.CLIP(24, VISION, TEXT, quick_gelu=True).visual)


def under(prefix, state):
  return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def robustness(state, mean=(0.48145466, 0.4578275, 0.40821073)):
  """As the package writes it: the network, the same again in its attacker, and two normalizers."""
  std = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
  images = {"new_mean": torch.tensor(mean)[:, None, None], "new_std": std}
  states = under("normalizer.", images) | under("model.", state)
  copies = under("attacker.normalize.", images) | under("attacker.model.", state)
  model = under("module.", states | copies)
  return {"model": model, "optimizer": sgd(state), "schedule": None, "epoch": 3, "amp": None}


def sgd(state):
  floats = [tensor for tensor in state.values() if tensor.dtype.is_floating_point]
  weights = [torch.nn.Parameter(tensor.clone()) for tensor in floats]
  optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9)
  sum(weight.sum() for weight in weights).backward()
  optimizer.step()
  return optimizer.state_dict()


def tecoa(state, best=0.375, prompt=0):
  """As TeCoA's finetuning.py and its kin write it; without prompts, two prompters are empty."""
  return {
    "epoch": 7,
    "state_dict": {},
    "add_prompter": {"module.prompt": torch.ones(1, prompt, 48)},
    "vision_encoder_state_dict": state,
    "best_acc1": best and np.mean([best]),
    "optimizer": sgd(state),
  }


def lightning(state):
  return {
    "epoch": 1,
    "global_step": 10,
    "pytorch-lightning_version": "2.5.0",
    "state_dict": under("model.visual.", state),
    "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.5)}},
    "optimizer_states": [sgd(state)],
    "lr_schedulers": [{"last_epoch": 1}],
  }


FILES = {
  "fare_eps_2.pt": lambda state: state,  # And RobustVLM's TeCoA.
  "vitb32_eps4.pth.tar": tecoa,  # TeCoA, TTC, TGA-ZSR.
  "PMG_AFT.pth.tar": lambda state: tecoa(state, best=False),
  "compiled.pt": lambda state: under("_orig_mod.module.", state),
  "visual.bin": lambda state: {"model": under("module.visual.", state), "epoch": 1},
  "wrapper.pth": lambda state: under("model.", state),  # RobustVLM's ClipVisionModel.
  "lightning.ckpt": lightning,
  "robustness.pt": robustness,
}


@pytest.mark.parametrize("name", [*FILES, "tower.safetensors"])
def test_a_tower_is_read_as_its_authors_write_it(tmp_path, base, tower, name):
  file = tmp_path / name
  if name in FILES:
    torch.save(FILES[name](tower.state_dict()), file)
  else:
    checkpoints.write_safetensors(under("visual.", tower.state_dict()), file)
  clip, plain = models.load(base, visual=str(file)), models.load(base)
  assert same(clip, tower)
  assert not same(plain, tower)
  assert equal((clip.text, clip.log_logit_scale), (plain.text, plain.log_logit_scale))
  assert equal(models.load(f"{base}+{file}"), clip)
  assert models.describe(f"{base}+{file}") == models.describe(base, visual=str(file))
  assert models.describe(base, visual=str(file)).source == f"{base}; vision tower of {file}"


def test_one_of_several_networks_is_asked_for_by_its_key(tmp_path, base, tower):
  state, file = tower.state_dict(), str(tmp_path / "two.pt")
  other = {name: tensor + 1 for name, tensor in state.items()}
  torch.save({"state_dict": other, "model_ema": {"module": under("visual.", state)}}, file)
  with pytest.raises(errors.InputError, match=r"2 networks, state_dict, .*key='model_ema\.module'"):
    models.load(base, visual=file)
  assert same(models.load(base, visual=file, key="model_ema.module"), tower)
  found = models.describe(f"{base}+{file}:model_ema.module")
  assert found == models.describe(base, visual=file, key="model_ema.module")
  assert found.source.endswith("two.pt:model_ema.module")
  assert same(models.load(f"{base}+{file}:model_ema.module"), tower)
  names = (
    f"{base}+{file}:model_ema",
    f"{base}+{file}:state_dict",
    f"{base}+{file}:model_ema.module",
  )
  assert len({models.describe(name).sha256 for name in names}) == 3
  with pytest.raises(errors.InputError, match="no network is called 'ema' in it; it holds state"):
    models.load(f"{base}+{file}:ema")
  with pytest.raises(errors.InputError, match=r"two\.pt:ema says which.*key='model_ema' too"):
    models.load(f"{base}+{file}:ema", key="model_ema")
  call("jaxbench.models.convert", base, tmp_path / "out", f"--visual={file}", "--key=model_ema")
  assert same(models.load(str(tmp_path / "out")), tower)
  with pytest.raises(errors.InputError, match="no network is called 'ema' in it; it holds state"):
    models.load(base, visual=file, key="ema")
  trained = under("model.visual.", state) | under("model_ori.visual.", other)
  torch.save({"state_dict": trained}, file)
  assert same(models.load(base, visual=file, key="state_dict.model.visual"), tower)
  torch.save(tecoa(state, prompt=5), file)  # Nobody may overlook what it was trained with.
  with pytest.raises(errors.InputError, match=r"2 networks, add_prompter\b"):
    models.load(base, visual=file)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [hf.CLIPVisionModel, hf.CLIPVisionModelWithProjection])
@pytest.mark.parametrize("form", ["folder", "older", "file"])
def test_towers_of_transformers(tmp_path, kind, form):
  whole = checkpoints.clip()
  base = checkpoints.write_huggingface(whole, tmp_path / "base", checkpoints.CLIP_PROCESSOR)
  torch.manual_seed(1)
  robust = kind(hf.CLIPVisionConfig(**checkpoints.VISION, projection_dim=24)).eval()
  place = tmp_path / "robust"
  checkpoints.write_huggingface(robust, place, checkpoints.CLIP_PROCESSOR)
  projection = getattr(robust, "visual_projection", whole.visual_projection)
  if form == "older":  # Releases before 5 had the name of the part, too.
    state = checkpoints.read_safetensors(place / "model.safetensors")
    named = {n if "vision_model" in n or "projection" in n else f"vision_model.{n}" for n in state}
    renamed = {n: state.get(n, state.get(n.removeprefix("vision_model."))) for n in named}
    checkpoints.write_safetensors(renamed, place / "model.safetensors")
  elif form == "file":
    place = place / "model.safetensors"
  clip = models.load(f"{base}+{place}")
  encoder = getattr(robust, "vision_model", robust)
  assert same(clip, lambda pixels: projection(encoder(pixels).pooler_output))
  assert equal(clip.text, models.load(base).text)
  told = f"{place} without a projection, which is the base's"
  own = kind is hf.CLIPVisionModelWithProjection
  assert models.describe(f"{base}+{place}").source.endswith(f"of {place if own else told}")


def test_a_tower_of_siglip(tmp_path):
  folder = tmp_path / "base"
  folder.mkdir()
  checkpoints.write_tokenizer(folder)
  checkpoints.write_huggingface(checkpoints.siglip(), folder, checkpoints.SQUASH_PROCESSOR)
  torch.manual_seed(1)
  robust = hf.SiglipVisionModel(hf.SiglipVisionConfig(**checkpoints.VISION)).eval()
  robust.save_pretrained(tmp_path / "robust")
  siglip = models.load(str(folder), visual=str(tmp_path / "robust"))
  assert same(siglip, lambda pixels: robust(pixels).pooler_output)
  assert siglip.tokenize(["a cat"]).shape == (1, 16)


def test_a_resnet_and_other_sizes_of_images(tmp_path, base, tower):
  (tmp_path / "base").mkdir()
  resnet = parity.randomize(write_base(tmp_path / "base", RESNET).visual)
  torch.save(tecoa(resnet.state_dict()), tmp_path / "rn50_eps1.pth.tar")
  clip = models.load(str(tmp_path / "base"), visual=str(tmp_path / "rn50_eps1.pth.tar"))
  parity.assert_same(clip.visual, resnet, clip.config, gradient=False)
  torch.save(tower.state_dict(), tmp_path / "a.pt")
  larger = models.load(base, visual=str(tmp_path / "a.pt"), image_size=48)
  resized = {"visual.positional_embedding": tower.positional_embedding.detach().clone()}
  fitted = open_clip.CLIP(24, {**VISION, "image_size": 48}, TEXT, quick_gelu=True).visual.eval()
  open_clip.model.resize_pos_embed(resized, torch.nn.ModuleDict({"visual": fitted}))
  positions = {"positional_embedding": resized["visual.positional_embedding"]}
  fitted.load_state_dict(tower.state_dict() | positions)
  assert same(larger, fitted, np.random.default_rng(1).random((2, 48, 48, 3), np.float32))


def test_a_whole_robust_model_is_bare_tensors(tmp_path, base, tower, register):
  register(models.describe(base).config)
  whole = open_clip.CLIP(24, VISION, TEXT, quick_gelu=True)
  whole.visual.load_state_dict(tower.state_dict())
  images = {"mean": (0.4, 0.5, 0.6), "std": (0.26862954, 0.26130258, 0.27577711)}
  torch.save({"state_dict": under("model.", whole.state_dict()), "epoch": 1}, tmp_path / "a.ckpt")
  assert same(models.load(str(tmp_path / "a.ckpt"), architecture="small"), tower)
  file = str(tmp_path / "robustness.pt")
  torch.save(robustness(whole.state_dict(), images["mean"]), file)
  with pytest.raises(errors.InputError, match=r"new_mean is \[0\.4, 0\.5, 0\.6\].*say mean="):
    models.load(file, architecture="small")
  assert same(models.load(file, architecture="small", **images), tower)


@pytest.fixture(scope="module")
def others(tmp_path_factory, base, tower):
  """Files that are no tower of the base, by what they are."""
  folder, state = tmp_path_factory.mktemp("others"), tower.state_dict()
  clip = open_clip.CLIP(24, VISION, TEXT).state_dict()
  deep = open_clip.CLIP(24, {**VISION, "layers": 3}, TEXT).visual.state_dict()
  fine = open_clip.CLIP(24, {**VISION, "image_size": 64}, TEXT).visual.state_dict()
  contents = {
    "whole": clip,
    "text": {name: tensor for name, tensor in clip.items() if not name.startswith("visual.")},
    "deep": deep,
    "fine": fine,
    "prompted": state | {"prompt_pos_embedding": torch.ones(5, 48)},
    "nan": state | {"ln_post.bias": torch.full((48,), torch.nan)},
    "resnet": networks.ResNet((1, 2), 8, False, 5).state_dict(),
    "normalized": robustness(state, (0.5, 0.5, 0.5)),
    "headless": {name: tensor for name, tensor in state.items() if "mlp" not in name},
  }
  for name, content in contents.items():
    torch.save(content, folder / f"{name}.pt")
  real = open_clip.CLIP(64, {**VISION, "width": 768, "patch_size": 32, "image_size": 224}, TEXT)
  torch.save(real.visual.state_dict(), folder / "real.pt")
  sizes = {**checkpoints.VISION, "intermediate_size": 192}
  robust = hf.CLIPVisionModel(hf.CLIPVisionConfig(**sizes, hidden_act="gelu"))
  processor = {**checkpoints.CLIP_PROCESSOR, "image_mean": [0.5, 0.5, 0.5]}
  checkpoints.write_huggingface(robust, folder / "gelu", checkpoints.CLIP_PROCESSOR)
  robust = hf.CLIPVisionModel(hf.CLIPVisionConfig(**sizes))
  checkpoints.write_huggingface(robust, folder / "mean", processor)
  checkpoints.write_huggingface(checkpoints.clip(), folder / "clip", checkpoints.CLIP_PROCESSOR)
  (folder / "empty").mkdir()
  return folder


@pytest.mark.parametrize(
  ("name", "message"),
  [
    ("whole.pt", "holds a whole model, not a vision tower alone: load it by itself"),
    ("clip", "holds a whole model"),
    ("text.pt", "holds a text tower alone"),
    ("deep.pt", r"no place for transformer\.resblocks\.2"),
    (
      "fine.pt",
      r"positional_embedding has shape \[65, 48\], that of .* \[17, 48\]: it is the tower",
    ),
    ("real.pt", r"\(its sizes are those of ViT-B-32, ViT-B-32-quickgelu\)$"),
    ("prompted.pt", "no place for prompt_pos_embedding"),
    ("nan.pt", r"ln_post\.bias holds NaN"),
    ("resnet.pt", r"conv1\.weight has shape \[8, 3, 7, 7\], that of .* \[48, 3, 8, 8\]"),
    ("normalized.pt", r"new_mean is \[0\.5, 0\.5, 0\.5\], and the model would take mean"),
    ("headless.pt", r"lacks transformer\.resblocks\.0\.mlp"),
    ("gelu", "activation is gelu, and that of .* is quick_gelu"),
    ("mean", r"mean is \(0\.5, 0\.5, 0\.5\), and that of"),
    ("empty", r"config\.json is missing"),
    ("nowhere.pt", "no vision tower is there"),
  ],
)
def test_what_is_no_tower_of_the_base_is_one_line(others, base, name, message):
  with pytest.raises(errors.InputError, match=message) as caught:
    models.load(base, visual=str(others / name))
  assert "\n" not in str(caught.value)
  assert str(others / name) in str(caught.value)


@pytest.mark.parametrize(
  ("wrong", "message"),
  [
    ("digits-resnet", "digits-resnet: a vision tower needs the CLIP or SigLIP"),
    ("digits-clip", "digits-resnet: no vision tower is there|holds a whole model"),
  ],
)
def test_a_base_has_a_text_tower_and_a_tower_has_none(wrong, message):
  with pytest.raises(errors.InputError, match=message):
    models.load(f"{wrong}+digits-resnet")


def test_the_model_of_a_python_file_is_a_base_and_its_argument_no_tower(tmp_path):
  (tmp_path / "mine.py").write_text(
    "from jaxbench import models\n"
    "def get_model(name='a+b'):\n"
    "  assert name == 'a+b'\n"
    "  return models.load('digits-clip')\n"
  )
  mine, tower = f"{tmp_path}/mine.py", tmp_path / "robust.pt"
  clip, robust = models.load("digits-clip"), models.load("digits-clip-robust")
  assert equal(models.load(f"{mine}:a+b"), clip)
  _write_digits(tower, robust)
  assert equal(models.load(f"{mine}+{tower}").visual, robust.visual)
  assert equal(models.load(mine), clip)
  (tmp_path / "mine.py").write_text(
    "from jaxbench import models\n"
    "def get_model():\n"
    "  clip = models.load('digits-resnet')\n"
    "  return models.Custom(clip, clip.preprocess)\n"
  )
  with pytest.raises(errors.InputError, match=r"mine\.py: a vision tower goes on networks of this"):
    models.load(f"{mine}+{tower}")


def test_without_a_base_the_way_out_is_told(others):
  with pytest.raises(errors.InputError, match=r"vision tower alone.*base\+tower in a run"):
    models.load(str(others / "gelu"))
  with pytest.raises(errors.InputError, match=r"to a vision tower alone, its base"):
    models.load(str(others / "deep.pt"))


def test_in_surrogates_a_tower_belongs_to_the_model_before_it(others):
  tower, folder = str(others / "deep.pt"), str(others / "gelu")
  names = (f"digits-resnet+digits-clip+{tower}[simple]", f"a+{folder}+b", "x+org/tower", "x+y")
  names += (f"a+{tower}:model_ema[simple]+b",)
  asked = config.Attacks(transfer=("mim",), surrogates=names)
  found = config.surrogates(config.Config(models=("x+org/tower",), attacks=asked))
  assert [[member.model for member in members] for members in found.values()] == [
    ["digits-resnet", f"digits-clip+{tower}"],
    [f"a+{folder}", "b"],
    ["x+org/tower"],
    ["x", "y"],
    [f"a+{tower}:model_ema", "b"],
  ]
  assert found[names[0]][1].prompts == "simple"


def _write_digits(file, model, scale=1.0, averaged=False):
  """The tower of an embedded model, as RobustVLM writes one, or beside another in its training."""

  def tensor(array):
    return torch.tensor(scale * np.asarray(array[...]))

  visual = model.visual
  state = {name: tensor(getattr(visual, name)) for name in ("class_embedding", "proj")}
  state["positional_embedding"] = tensor(visual.positional_embedding)
  state["conv1.weight"] = tensor(visual.conv1.kernel).permute(3, 2, 0, 1)
  norms = {"ln_pre": visual.ln_pre, "ln_post": visual.ln_post}
  for number, block in enumerate(visual.transformer.resblocks):
    place = f"transformer.resblocks.{number}"
    norms |= {f"{place}.ln_1": block.ln_1, f"{place}.ln_2": block.ln_2}
    linear = {"attn.in_proj_": block.attn.in_proj, "attn.out_proj.": block.attn.out_proj}
    linear |= {"mlp.c_fc.": block.mlp.c_fc, "mlp.c_proj.": block.mlp.c_proj}
    for name, module in linear.items():
      state[f"{place}.{name}weight"] = tensor(module.kernel).T
      state[f"{place}.{name}bias"] = tensor(module.bias)
  for name, module in norms.items():
    state[f"{name}.weight"], state[f"{name}.bias"] = tensor(module.scale), tensor(module.bias)
  other = {name: tensor + 1 for name, tensor in state.items()}
  torch.save({"model": other, "model_ema": state} if averaged else state, file)


@pytest.mark.slow
def test_a_run_with_a_tower_and_no_other(tmp_path):
  robust, file = models.load("digits-clip-robust"), tmp_path / "robust.pt"
  _write_digits(file, robust, averaged=True)
  name = f"digits-clip+{file}:model_ema"
  assert equal(models.load(name).visual, robust.visual)
  asked = config.Attacks(transfer=("fgsm",), surrogates=(name,), epsilons=(8 / 255,))
  sizes = {"data": ("digits",), "limit": 8, "slots": 1, "attacks": asked}
  settings = config.checked(config.Config(models=(name, "digits-clip"), **sizes))

  def run():
    runner.run(settings, plan.make(settings), tmp_path / "run")

  run()
  cells = records.load_run(tmp_path / "run")["cells"]
  assert {cell["model"] for cell in cells} == {name, "digits-clip"}
  assert {cell["surrogate"] for cell in cells} == {None, name}
  rows = records.read(tmp_path / "run")
  run()
  assert records.read(tmp_path / "run").equals(rows)
  _write_digits(file, robust, scale=0.999, averaged=True)
  with pytest.raises(errors.InputError, match=r"another configuration: .*sha256"):
    run()


def test_a_wrong_tower_ends_a_command_in_one_line(tmp_path, others):
  program = "jaxbench.models.convert"
  _, err = call(program, "digits-clip", tmp_path / "x", f"--visual={others / 'fine.pt'}", status=2)
  assert err.count("\n") == 1
  assert "it is the tower of another model" in err
  assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_the_published_line_of_a_tower():
  from jaxbench.metrics import published

  for name in ("openai/clip-vit-large-patch14@c0ffee+/weights/fare_eps_2.pt", "chs20/fare2-clip"):
    assert published.under_attack("fare", "cifar10", name)[0] == "FARE 2/255"
  base = "openai/clip-vit-large-patch14@c0ffee"
  assert published.under_attack("fare", "cifar10", base)[0] == "CLIP"
  assert published.under_attack("fare", "cifar10", f"{base}+mine.pt") is None
