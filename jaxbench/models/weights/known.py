"""Fields of configurations that are not read, one table per source: see `sidecar.Known`.

A field that is in none of them is refused by name: nobody here has checked what it does.
"""

from jaxbench.models.tokenizer import END
from jaxbench.models.weights.sidecar import Known


def _words(text: str) -> frozenset[str]:
  return frozenset(text.split())


# What transformers' configuration class had for all models, over the years: how to generate text,
# what to return, names. `dtype` is that of the tensors, which say it themselves.
_TRANSFORMERS = _words(
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
_TRAINING = _words(
  """
  attention_dropout attention_probs_dropout_prob batch_norm_momentum drop_connect_rate
  drop_path_rate dropout dropout_rate hidden_dropout_prob layer_scale_init_value
  """
)
_NOWHERE = {"add_cross_attention": (False,), "is_decoder": (False,), "pruned_heads": ({},)}
_IMAGE = {**_NOWHERE, "num_channels": (3,)}
_BACKBONE = _words("out_features out_indices stage_names")

HUGGINGFACE = {
  "clip": Known(_TRANSFORMERS | {"id2label"}, _NOWHERE),
  "siglip": Known(_TRANSFORMERS | {"id2label"}, _NOWHERE),
  "vit": Known(
    _TRANSFORMERS | _TRAINING | {"encoder_stride", "pooler_act", "pooler_output_size"},
    {**_IMAGE, "qkv_bias": (True,)},
  ),
  # Their size is that of the image processor: no tensor depends on it.
  "resnet": Known(_TRANSFORMERS | _BACKBONE, _IMAGE),
  "convnext": Known(
    _TRANSFORMERS | _TRAINING | _BACKBONE | {"image_size"}, {**_IMAGE, "patch_size": (4,)}
  ),
  "efficientnet": Known(
    _TRANSFORMERS | _TRAINING | {"image_size", "num_hidden_layers"},
    {
      **_IMAGE,
      "hidden_act": ("swish", "silu"),
      "pooling_type": ("mean",),
      "squeeze_expansion_ratio": (0.25,),
    },
  ),
}
# The end of a text is found as the highest id, which is what transformers does where it says 2.
HUGGINGFACE_TEXT = Known(
  _TRANSFORMERS | _TRAINING | {"id2label", "model_type", "projection_dim"},
  {**_NOWHERE, "eos_token_id": (2, END)},
)
HUGGINGFACE_SIGLIP_TEXT = Known(
  _TRANSFORMERS | _TRAINING | {"eos_token_id", "id2label", "model_type"}, _NOWHERE
)
HUGGINGFACE_VISION = Known(
  _TRANSFORMERS | _TRAINING | {"eos_token_id", "id2label", "model_type", "projection_dim"},
  {**_IMAGE, "vision_use_head": (True,)},
)
# Images are RGB here, one at a time and in memory.
PROCESSOR = Known(
  _words(
    """
    _processor_class _valid_processor_keys data_format device disable_grouping do_convert_rgb
    input_data_format processor_class return_tensors
    """
  ),
  {"do_pad": (False,), "do_reduce_labels": (False,), "rescale_offset": (False,)},
)

# open_clip's own defaults, where they are what we build.
_OPEN_CLIP_BLOCKS = {
  "act_kwargs": ({},),
  "block_type": ("default",),
  "final_ln_after_pool": (False,),
  "norm_kwargs": ({},),
  "output_tokens": (False,),
  "qk_norm": (False,),
  "scale_attn": (False,),
  "scale_attn_inner": (False,),
  "scale_fc": (False,),
  "scale_heads": (False,),
  "scaled_cosine_attn": (False,),
}
OPEN_CLIP_MODEL = Known(
  _words("init_logit_scale"),
  {"custom_text": (False,), "multimodal_cfg": ({},), "nonscalar_logit_scale": (False,)},
)
OPEN_CLIP_VISION = Known(
  # Training; and parts of towers that are not configured: attentional pools, timm's models.
  _words(
    """
    attn_pooler_heads attn_pooler_queries patch_dropout timm_drop timm_drop_path
    timm_model_pretrained timm_pool timm_proj timm_proj_bias
    """
  ),
  {
    **_OPEN_CLIP_BLOCKS,
    "attentional_pool": (False,),
    "no_ln_pre": (False,),
    "pool_type": ("tok",),
    "pos_embed_type": ("learnable",),
    "timm_model_name": ("",),
  },
)
OPEN_CLIP_TEXT = Known(
  # Of a tower from Hugging Face, or of another pool. Padding follows the end and is not seen.
  _words("eos_id hf_model_pretrained hf_pooler_type hf_proj_type pad_id"),
  {
    **_OPEN_CLIP_BLOCKS,
    "embed_cls": (False,),
    "hf_model_name": ("",),
    "no_causal_mask": (False,),
    "pool_type": ("argmax",),
    "proj_bias": (False,),
    "proj_type": ("linear",),
    "tokenizer_kwargs": ({},),
    "tokenizer_mode": ("clip",),
  },
)
OPEN_CLIP_IMAGES = Known(
  # The fill colour is for `resize_mode` "longest", which is refused.
  _words("fill_color"),
  {"mode": ("RGB",)},
)

TIMM = Known(_words("label_descriptions label_names labels license num_features"), {})
TIMM_ARGUMENTS = Known(_words("drop_path_rate drop_rate"), {"in_chans": (3,)})
TIMM_IMAGES = Known(
  _words(
    """
    architecture classifier custom_load description file first_conv fixed_input_size hf_hub_filename
    hf_hub_id label_descriptions label_names license min_input_size notes origin_url paper_ids
    paper_name pool_size source tag test_pool_size url
    """
  ),
  {"label_offset": (0,)},
)
