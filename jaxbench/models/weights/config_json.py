"""What config.json of transformers says of several families alike."""

from typing import NamedTuple

from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.weights.sidecar import Fields, words

# What transformers' configuration class had for all models, over the years: how to generate text,
# what to return, names. `dtype` is that of the tensors, which say it themselves.
COMMON = words(
  """
  _attn_implementation_autoset _commit_hash _name_or_path architectures attn_implementation
  bad_words_ids begin_suppress_tokens bos_token_id chunk_size_feed_forward
  cross_attention_hidden_size decoder_start_token_id diversity_penalty do_sample dtype
  early_stopping encoder_no_repeat_ngram_size exponential_decay_length_penalty finetuning_task
  forced_bos_token_id forced_eos_token_id gradient_checkpointing initializer_factor
  initializer_range is_encoder_decoder label2id length_penalty logit_scale_init_value max_length
  min_length no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_attentions
  output_hidden_states output_scores pad_token_id prefix problem_type remove_invalid_values
  repetition_penalty return_dict return_dict_in_generate sep_token_id suppress_tokens
  task_specific_params temperature tf_legacy_loss tie_encoder_decoder tie_word_embeddings
  tokenizer_class top_k top_p torch_dtype torchscript transformers_version typical_p use_bfloat16
  use_cache
  """
)
TRAINING = words(
  """
  attention_dropout attention_probs_dropout_prob batch_norm_momentum drop_connect_rate
  drop_path_rate dropout dropout_rate hidden_dropout_prob layer_scale_init_value
  """
)
BACKBONE = words("out_features out_indices stage_names")
# The values with which all models compute what ours do; and those that take images.
PLAIN = {"add_cross_attention": (False,), "is_decoder": (False,), "pruned_heads": ({},)}
IMAGE = {**PLAIN, "num_channels": (3,)}
_ACTIVATIONS = {
  "quick_gelu": "quick_gelu",
  "gelu": "gelu",
  "gelu_pytorch_tanh": "gelu_tanh",
  "gelu_new": "gelu_tanh",
}


class Defaults(NamedTuple):
  """Defaults of transformers' configuration classes."""

  width: int
  mlp: int
  heads: int
  activation: str
  epsilon: float


class Vision(NamedTuple):
  """A vision tower and what it takes."""

  tower: TowerConfig
  patch_size: int
  size: int  # Of images, in pixels.


def tower(fields: Fields, default: Defaults) -> TowerConfig:
  """A transformer."""
  width = fields.count("hidden_size", default.width)
  heads = fields.count("num_attention_heads", default.heads)
  if width % heads:
    raise fields.error(f"hidden_size {width} is no multiple of num_attention_heads {heads}")
  return TowerConfig(
    width=width,
    layers=fields.count("num_hidden_layers", 12),
    heads=heads,
    mlp_width=fields.count("intermediate_size", default.mlp),
    activation=fields.choose("hidden_act", _ACTIVATIONS, default.activation),
    epsilon=fields.number("layer_norm_eps", default.epsilon),
  )


def classes(fields: Fields) -> int:
  """How many a classifier has; both fields are written by some releases, and then agree."""
  labels = fields.sub("id2label").content
  count = fields.count("num_labels", len(labels) or None)
  if "id2label" in fields.content and count != len(labels):
    raise fields.error(f"id2label has {len(labels)} classes, and num_labels is {count}")
  return count


def depths(fields: Fields, default: list[int], stages: int) -> tuple[int, ...]:
  """The number of blocks in each of the `stages`, of which hidden_sizes tells."""
  blocks = fields.counts("depths", default)
  if len(blocks) != stages:
    raise fields.error(f"depths has {len(blocks)} stages, hidden_sizes has {stages}")
  return blocks
