"""Renamings into the names of timm; its ResNet has torchvision's. See `mapping`."""

from jaxbench.models.vgg import VGGConfig
from jaxbench.models.weights.layouts.torchvision import vgg_features
from jaxbench.models.weights.mapping import Renamings


def vgg(config: VGGConfig) -> Renamings:
  """timm's VGG, whose first two linear layers are convolutions."""
  return (
    *vgg_features(config),
    (r"^head\.fc([12])\.", r"pre_logits.fc\1."),
    (r"^head\.fc3\.", "head.fc."),
  )


def efficientnet() -> Renamings:
  """timm's EfficientNet; the blocks of its first stage do not expand and number otherwise."""
  return (
    (r"^stem\.", "conv_stem."),
    (r"^stem_bn\.", "bn1."),
    (r"^stages\.0\.(\d+)\.depthwise\.", r"blocks.0.\1.conv_dw."),
    (r"^stages\.0\.(\d+)\.depthwise_bn\.", r"blocks.0.\1.bn1."),
    (r"^stages\.0\.(\d+)\.project\.", r"blocks.0.\1.conv_pw."),
    (r"^stages\.0\.(\d+)\.project_bn\.", r"blocks.0.\1.bn2."),
    (r"^stages\.", "blocks."),
    (r"(\.\d+)\.expand\.", r"\1.conv_pw."),
    (r"(\.\d+)\.expand_bn\.", r"\1.bn1."),
    (r"\.depthwise\.", ".conv_dw."),
    (r"\.depthwise_bn\.", ".bn2."),
    (r"\.se\.(reduce|expand)\.", r".se.conv_\1."),
    (r"\.project\.", ".conv_pwl."),
    (r"\.project_bn\.", ".bn3."),
    (r"^head\.", "conv_head."),
    (r"^head_bn\.", "bn2."),
    (r"^fc\.", "classifier."),
  )


def vit() -> Renamings:
  """timm's VisionTransformer."""
  return (
    (r"^transformer\.resblocks", "blocks"),
    (r"ln_([12])", r"norm\1"),
    (r"attn\.in_proj", "attn.qkv"),
    (r"attn\.out_proj", "attn.proj"),
    (r"mlp\.c_fc", "mlp.fc1"),
    (r"mlp\.c_proj", "mlp.fc2"),
    (r"^conv1\.", "patch_embed.proj."),
    (r"^class_embedding", "cls_token"),
    (r"^positional_embedding", "pos_embed"),
    (r"^ln_post\.", "norm."),
    (r"^fc\.", "head."),
  )


def convnext() -> Renamings:
  """timm's ConvNeXt."""
  return (
    (r"^stem\.", "stem.0."),
    (r"^stem_norm\.", "stem.1."),
    (r"^stages\.(\d+)\.(\d+)\.", r"stages.\1.blocks.\2."),
    *((rf"^downsamples\.{i}\.norm\.", f"stages.{i + 1}.downsample.0.") for i in range(3)),
    *((rf"^downsamples\.{i}\.conv\.", f"stages.{i + 1}.downsample.1.") for i in range(3)),
    (r"depthwise\.", "conv_dw."),
    (r"(blocks\.\d+)\.fc([12])\.", r"\1.mlp.fc\2."),
    (r"^head_norm\.", "head.norm."),
    (r"^fc\.", "head.fc."),
  )
