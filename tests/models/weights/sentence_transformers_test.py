"""CLIPs in the folders of sentence-transformers."""

import json

import jax
import numpy as np
import pytest
from references import checkpoints

from jaxbench import errors, models

CLIP = {
  "idx": 0,
  "name": "0",
  "path": "0_CLIPModel",
  "type": "sentence_transformers.models.CLIPModel",
}


def module(kind, index=1):
  """An entry of modules.json."""
  place = "sentence_transformers.models"
  return {"idx": index, "name": str(index), "path": f"{index}_{kind}", "type": f"{place}.{kind}"}


def write(folder, modules, inside="0_CLIPModel"):
  """A CLIP in a folder of its own, and the list of modules."""
  checkpoints.write_huggingface(checkpoints.clip(), folder / inside, checkpoints.CLIP_PROCESSOR)
  (folder / "modules.json").write_text(json.dumps(modules))
  return str(folder)


@pytest.mark.parametrize("rest", [[], [module("Normalize")]])
def test_it_is_the_clip_of_transformers(tmp_path, rest):
  folder = write(tmp_path, [CLIP, *rest])
  alone = tmp_path / "0_CLIPModel"
  pairs = zip(*(jax.tree.leaves(models.load(str(place))) for place in (folder, alone)), strict=True)
  assert all(np.array_equal(one, two) for one, two in pairs)
  described = models.describe(folder)
  assert described.source == folder
  assert described.config == models.describe(str(alone)).config


def test_its_files_may_lie_beside_the_list(tmp_path):
  folder = write(tmp_path, [{**CLIP, "path": ""}], inside=".")
  assert models.describe(folder).architecture == "clip"


@pytest.mark.parametrize(
  ("modules", "message"),
  [
    ([CLIP, module("Dense")], "Dense changes the embeddings of its CLIP.*models.from_torch"),
    (
      [module("Transformer", 0), module("Pooling"), module("Dense", 2)],
      "its modules are Transformer, Pooling, Dense, none of which sees images",
    ),
    ({"idx": 0}, "not what sentence-transformers writes"),
    ([], "not what sentence-transformers writes"),
    ([{**CLIP, "path": "elsewhere"}], "elsewhere: no checkpoint here"),
  ],
)
def test_what_is_no_clip_alone_is_one_line(tmp_path, modules, message):
  folder = write(tmp_path, modules)
  with pytest.raises(errors.InputError, match=message) as caught:
    models.load(folder)
  assert "\n" not in str(caught.value)


def test_code_beside_the_weights_is_named_with_the_way_through_torch(tmp_path):
  """As jina-clip has it, which also lists modules of its own."""
  config = {"model_type": "jina_clip", "auto_map": {"AutoModel": "modeling_clip.JinaCLIPModel"}}
  (tmp_path / "config.json").write_text(json.dumps(config))
  listed = [{"idx": 0, "name": "transformer", "path": "", "type": "custom_st.Transformer"}]
  (tmp_path / "modules.json").write_text(json.dumps(listed))
  message = r"'jina_clip' is built by Python code that lies with .*trust_remote_code.*from_torch"
  with pytest.raises(errors.InputError, match=message):
    models.load(str(tmp_path))
