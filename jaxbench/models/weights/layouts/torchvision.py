"""Renamings into the names of torchvision; see `mapping`."""

from jaxbench.models.convnext import ConvNeXtConfig
from jaxbench.models.efficientnet import EfficientNetConfig
from jaxbench.models.vgg import VGGConfig
from jaxbench.models.weights.mapping import Renamings


def resnet() -> Renamings:
  """torchvision's ResNet, and timm's."""
  return (
    *((rf"^layers\.{i}\.", f"layer{i + 1}.") for i in range(4)),
    (r"downsample\.conv", "downsample.0"),
    (r"downsample\.bn", "downsample.1"),
  )


def alexnet() -> Renamings:
  """torchvision's AlexNet."""
  places = (0, 3, 6, 8, 10)
  return (
    *((rf"^convs\.{i}\.", f"features.{place}.") for i, place in enumerate(places)),
    *((rf"^head\.fc{i}\.", f"classifier.{place}.") for i, place in ((1, 1), (2, 4), (3, 6))),
  )


def vgg_features(config: VGGConfig) -> Renamings:
  """Positions of convolutions and norms in the sequence, activations and poolings counted."""
  renamings, index, place = [], 0, 0
  for depth in config.depths:
    for _ in range(depth):
      renamings.append((rf"^convs\.{index}\.", f"features.{place}."))
      renamings.append((rf"^norms\.{index}\.", f"features.{place + 1}."))
      index, place = index + 1, place + (3 if config.batch_norm else 2)
    place += 1
  return tuple(renamings)


def vgg(config: VGGConfig) -> Renamings:
  """torchvision's VGG."""
  head = ((rf"^head\.fc{i}\.", f"classifier.{place}.") for i, place in ((1, 0), (2, 3), (3, 6)))
  return (*vgg_features(config), *head)


def efficientnet(config: EfficientNetConfig) -> Renamings:
  """torchvision's EfficientNet; a first block that does not expand has one part less."""
  expanding = [stage.expand != 1 for stage in config.stages]
  return (
    (r"^stem\.", "features.0.0."),
    (r"^stem_bn\.", "features.0.1."),
    *(
      renaming
      for i, expands in enumerate(expanding)
      for renaming in (
        (rf"^stages\.{i}\.(\d+)\.expand\.", rf"features.{i + 1}.\1.block.0.0."),
        (rf"^stages\.{i}\.(\d+)\.expand_bn\.", rf"features.{i + 1}.\1.block.0.1."),
        (rf"^stages\.{i}\.(\d+)\.depthwise\.", rf"features.{i + 1}.\1.block.{expands:d}.0."),
        (rf"^stages\.{i}\.(\d+)\.depthwise_bn\.", rf"features.{i + 1}.\1.block.{expands:d}.1."),
        (rf"^stages\.{i}\.(\d+)\.se\.reduce\.", rf"features.{i + 1}.\1.block.{1 + expands}.fc1."),
        (rf"^stages\.{i}\.(\d+)\.se\.expand\.", rf"features.{i + 1}.\1.block.{1 + expands}.fc2."),
        (rf"^stages\.{i}\.(\d+)\.project\.", rf"features.{i + 1}.\1.block.{2 + expands}.0."),
        (rf"^stages\.{i}\.(\d+)\.project_bn\.", rf"features.{i + 1}.\1.block.{2 + expands}.1."),
      )
    ),
    (r"^head\.", f"features.{len(expanding) + 1}.0."),
    (r"^head_bn\.", f"features.{len(expanding) + 1}.1."),
    (r"^fc\.", "classifier.1."),
  )


def vit(first: str = "0", second: str = "3") -> Renamings:
  """torchvision's ViT; its first releases call the MLP's layers linear_1 and linear_2."""
  return (
    (r"^transformer\.resblocks\.", "encoder.layers.encoder_layer_"),
    (r"attn\.in_proj\.(weight|bias)", r"self_attention.in_proj_\1"),
    (r"attn\.out_proj", "self_attention.out_proj"),
    (r"mlp\.c_fc", f"mlp.{first}"),
    (r"mlp\.c_proj", f"mlp.{second}"),
    (r"^conv1\.", "conv_proj."),
    (r"^class_embedding", "class_token"),
    (r"^positional_embedding", "encoder.pos_embedding"),
    (r"^ln_post\.", "encoder.ln."),
    (r"^fc\.", "heads.head."),
  )


def convnext(config: ConvNeXtConfig) -> Renamings:
  """torchvision's ConvNeXt: stages and the steps between them alternate."""
  parts = {"depthwise": 0, "norm": 2, "fc1": 3, "fc2": 5}
  stages = range(len(config.depths))
  return (
    (r"^stem\.", "features.0.0."),
    (r"^stem_norm\.", "features.0.1."),
    *(
      (rf"^stages\.{i}\.(\d+)\.{part}\.", rf"features.{2 * i + 1}.\1.block.{place}.")
      for i in stages
      for part, place in parts.items()
    ),
    *((rf"^stages\.{i}\.(\d+)\.gamma", rf"features.{2 * i + 1}.\1.layer_scale") for i in stages),
    *((rf"^downsamples\.{i}\.norm\.", f"features.{2 * i + 2}.0.") for i in stages),
    *((rf"^downsamples\.{i}\.conv\.", f"features.{2 * i + 2}.1.") for i in stages),
    (r"^head_norm\.", "classifier.0."),
    (r"^fc\.", "classifier.2."),
  )
