"""Renamings into the names of transformers; see `mapping`."""

from jaxbench.models.efficientnet import EfficientNetConfig
from jaxbench.models.weights.mapping import Renamings

_TOWERS: Renamings = (
  (r"^(visual|text)\.transformer\.resblocks", r"\1.encoder.layers"),
  (r"ln_1", "layer_norm1"),
  (r"ln_2", "layer_norm2"),
  (r"attn\.in_proj", "self_attn.{q_proj,k_proj,v_proj}"),
  (r"attn\.out_proj", "self_attn.out_proj"),
  (r"mlp\.c_fc", "mlp.fc1"),
  (r"mlp\.c_proj", "mlp.fc2"),
  (r"^visual\.conv1", "visual.embeddings.patch_embedding"),
  (r"^(visual|text)\.positional_embedding", r"\1.embeddings.position_embedding.weight"),
  (r"^text\.token_embedding", "text.embeddings.token_embedding.weight"),
  (r"^visual\.ln_post", "visual.post_layernorm"),
  (r"^text\.ln_final", "text.final_layer_norm"),
)
_ROOTS: Renamings = (
  (r"^log_logit_scale$", "logit_scale"),
  (r"^visual\.", "vision_model."),
  (r"^text\.", "text_model."),
)


def clip() -> Renamings:
  """transformers' CLIPModel."""
  return (
    *_TOWERS,
    (r"^visual\.class_embedding", "visual.embeddings.class_embedding"),
    (r"^visual\.ln_pre", "visual.pre_layrnorm"),  # Their spelling.
    (r"^visual\.proj$", "visual_projection.weight.T"),
    (r"^text\.text_projection$", "text_projection.weight.T"),
    *_ROOTS,
  )


def siglip() -> Renamings:
  """transformers' SiglipModel."""
  return (
    *_TOWERS,
    (r"^visual\.head\.in_proj\.(weight|bias)", r"visual.head.attention.in_proj_\1"),
    (r"^visual\.head\.out_proj", "visual.head.attention.out_proj"),
    (r"^bias$", "logit_bias"),
    *_ROOTS,
  )


def vit() -> Renamings:
  """transformers' ViTForImageClassification."""
  attention = "attention.attention.{query,key,value}"
  return (
    (r"^transformer\.resblocks", "vit.encoder.layer"),
    (r"ln_1", "layernorm_before"),
    (r"ln_2", "layernorm_after"),
    (r"attn\.in_proj", attention),
    (r"attn\.out_proj", "attention.output.dense"),
    (r"mlp\.c_fc", "intermediate.dense"),
    (r"mlp\.c_proj", "output.dense"),
    (r"^conv1", "vit.embeddings.patch_embeddings.projection"),
    (r"^class_embedding", "vit.embeddings.cls_token"),
    (r"^positional_embedding", "vit.embeddings.position_embeddings"),
    (r"^ln_post", "vit.layernorm"),
    (r"^fc\.", "classifier."),
  )


def resnet() -> Renamings:
  """transformers' ResNetForImageClassification."""
  return (
    (r"^conv1\.", "resnet.embedder.embedder.convolution."),
    (r"^bn1\.", "resnet.embedder.embedder.normalization."),
    (r"^layers\.(\d+)\.(\d+)\.", r"resnet.encoder.stages.\1.layers.\2."),
    (r"downsample\.conv", "shortcut.convolution"),
    (r"downsample\.bn", "shortcut.normalization"),
    *((rf"\.conv{i + 1}\.", f".layer.{i}.convolution.") for i in range(3)),
    *((rf"\.bn{i + 1}\.", f".layer.{i}.normalization.") for i in range(3)),
    (r"^fc\.", "classifier.1."),
  )


def convnext() -> Renamings:
  """transformers' ConvNextForImageClassification."""
  return (
    (r"^stem\.", "convnext.embeddings.patch_embeddings."),
    (r"^stem_norm\.", "convnext.embeddings.layernorm."),
    (r"^stages\.(\d+)\.(\d+)\.", r"convnext.encoder.stages.\1.layers.\2."),
    *(
      (rf"^downsamples\.{i}\.", f"convnext.encoder.stages.{i + 1}.downsampling_layer.")
      for i in range(3)
    ),
    (r"downsampling_layer\.norm", "downsampling_layer.0"),
    (r"downsampling_layer\.conv", "downsampling_layer.1"),
    (r"depthwise\.", "dwconv."),
    (r"\.norm\.", ".layernorm."),
    (r"\.fc([12])\.", r".pwconv\1."),
    (r"gamma", "layer_scale_parameter"),
    (r"^head_norm\.", "convnext.layernorm."),
    (r"^fc\.", "classifier."),
  )


def efficientnet(config: EfficientNetConfig) -> Renamings:
  """transformers' EfficientNetForImageClassification, whose blocks are numbered throughout."""
  stages = [(i, j) for i, stage in enumerate(config.stages) for j in range(stage.depth)]
  return (
    (r"^stem\.", "efficientnet.embeddings.convolution."),
    (r"^stem_bn\.", "efficientnet.embeddings.batchnorm."),
    *(
      (rf"^stages\.{i}\.{j}\.", f"efficientnet.encoder.blocks.{n}.")
      for n, (i, j) in enumerate(stages)
    ),
    (r"\.depthwise\.", ".depthwise_conv.depthwise_conv."),
    (r"\.depthwise_bn\.", ".depthwise_conv.depthwise_norm."),
    (r"\.se\.", ".squeeze_excite."),
    (r"(blocks\.\d+)\.expand\.", r"\1.expansion.expand_conv."),
    (r"\.expand_bn\.", ".expansion.expand_bn."),
    (r"\.project\.", ".projection.project_conv."),
    (r"\.project_bn\.", ".projection.project_bn."),
    (r"^head\.", "efficientnet.encoder.top_conv."),
    (r"^head_bn\.", "efficientnet.encoder.top_bn."),
    (r"^fc\.", "classifier."),
  )
