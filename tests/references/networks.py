"""Networks that no importable library has here, written from their papers; the names of their
tensors are those of the checkpoints of OpenAI, torchvision and efficientnet_lite_pytorch."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F


class CLIPBottleneck(nn.Module):
  def __init__(self, inputs, width, stride):
    super().__init__()
    self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
    self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
    self.bn2, self.pool = nn.BatchNorm2d(width), nn.AvgPool2d(stride)
    self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
    self.bn3 = nn.BatchNorm2d(4 * width)
    self.downsample = None
    if stride > 1 or inputs != 4 * width:
      parts = [nn.AvgPool2d(stride), nn.Conv2d(inputs, 4 * width, 1, bias=False)]
      names = ("-1", "0", "1")
      layers = zip(names, [*parts, nn.BatchNorm2d(4 * width)], strict=True)
      self.downsample = nn.Sequential(OrderedDict(layers))

  def forward(self, x):
    y = F.relu(self.bn1(self.conv1(x)))
    y = self.pool(F.relu(self.bn2(self.conv2(y))))
    y = self.bn3(self.conv3(y))
    return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class CLIPAttentionPool(nn.Module):
  def __init__(self, positions, width, heads, outputs):
    super().__init__()
    self.positional_embedding = nn.Parameter(torch.randn(positions + 1, width) / width**0.5)
    self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
    self.v_proj, self.c_proj = nn.Linear(width, width), nn.Linear(width, outputs)
    self.heads = heads

  def forward(self, x):
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([x.mean(1, keepdim=True), x], 1) + self.positional_embedding

    def split(y):
      return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    q, k, v = split(self.q_proj(x[:, :1])), split(self.k_proj(x)), split(self.v_proj(x))
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
    return self.c_proj((weights @ v).transpose(1, 2).flatten(2)[:, 0])


class CLIPResNet(nn.Module):
  def __init__(self, depths, width, size, outputs):
    super().__init__()
    half = width // 2
    self.conv1 = nn.Conv2d(3, half, 3, stride=2, padding=1, bias=False)
    self.conv2 = nn.Conv2d(half, half, 3, padding=1, bias=False)
    self.conv3 = nn.Conv2d(half, width, 3, padding=1, bias=False)
    self.bn1, self.bn2, self.bn3 = (nn.BatchNorm2d(n) for n in (half, half, width))
    inputs = width
    for i, depth in enumerate(depths):
      wide, blocks = width * 2**i, []
      for j in range(depth):
        blocks.append(CLIPBottleneck(inputs, wide, 2 if i > 0 and j == 0 else 1))
        inputs = 4 * wide
      setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
    self.attnpool = CLIPAttentionPool((size // 32) ** 2, inputs, width * 32 // 64, outputs)

  def forward(self, x):
    for i in (1, 2, 3):
      x = F.relu(getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x)))
    x = F.avg_pool2d(x, 2)
    for i in (1, 2, 3, 4):
      x = getattr(self, f"layer{i}")(x)
    return self.attnpool(x)


def alexnet(classes):
  features = nn.Sequential(
    *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
    *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
    *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
    *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
    *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
  )
  classifier = nn.Sequential(
    *(nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU()),
    *(nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, classes)),
  )
  parts = {"features": features, "avgpool": nn.AdaptiveAvgPool2d(6), "flatten": nn.Flatten()}
  return nn.Sequential(OrderedDict(parts | {"classifier": classifier}))


def vgg(depths, batch_norm, width, hidden, classes):
  features, inputs = [], 3
  for stage, depth in enumerate(depths):
    outputs = width * min(2**stage, 8)
    for _ in range(depth):
      norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
      features += [nn.Conv2d(inputs, outputs, 3, padding=1), *norm, nn.ReLU()]
      inputs = outputs
    features.append(nn.MaxPool2d(2))
  classifier = nn.Sequential(
    *(nn.Linear(inputs * 49, hidden), nn.ReLU(), nn.Dropout()),
    *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, classes)),
  )
  parts = {"features": nn.Sequential(*features), "avgpool": nn.AdaptiveAvgPool2d(7)}
  return nn.Sequential(OrderedDict(parts | {"flatten": nn.Flatten(), "classifier": classifier}))


class ResidualBlock(nn.Module):
  def __init__(self, inputs, width, stride, bottleneck):
    super().__init__()
    outputs = width * (4 if bottleneck else 1)
    shapes = [(inputs, width, 3, stride), (width, width, 3, 1)]
    if bottleneck:
      shapes = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
    for i, (one, two, kernel, step) in enumerate(shapes, 1):
      conv = nn.Conv2d(one, two, kernel, stride=step, padding=kernel // 2, bias=False)
      setattr(self, f"conv{i}", conv)
      setattr(self, f"bn{i}", nn.BatchNorm2d(two))
    self.count = len(shapes)
    self.downsample = None
    if stride != 1 or inputs != outputs:
      conv = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
      self.downsample = nn.Sequential(conv, nn.BatchNorm2d(outputs))

  def forward(self, x):
    y = x
    for i in range(1, self.count + 1):
      y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
      y = F.relu(y) if i < self.count else y
    return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
  def __init__(self, depths, width, bottleneck, classes):
    super().__init__()
    self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
    self.bn1, inputs = nn.BatchNorm2d(width), width
    self.stages = len(depths)
    for i, depth in enumerate(depths):
      wide, blocks = width * 2**i, []
      for j in range(depth):
        blocks.append(ResidualBlock(inputs, wide, 2 if i > 0 and j == 0 else 1, bottleneck))
        inputs = wide * (4 if bottleneck else 1)
      setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
    self.fc = nn.Linear(inputs, classes)

  def forward(self, x):
    x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
    for i in range(self.stages):
      x = getattr(self, f"layer{i + 1}")(x)
    return self.fc(x.mean((2, 3)))


class SameConv(nn.Conv2d):
  """Padded as TensorFlow pads: the odd pixel is on the right and below."""

  def __init__(self, inputs, outputs, kernel, stride=1, groups=1):
    super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

  def forward(self, x):
    size, kernel, stride = x.shape[-1], self.kernel_size[0], self.stride[0]
    padding = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return super().forward(F.pad(x, [padding // 2, padding - padding // 2] * 2))


class LiteBlock(nn.Module):
  def __init__(self, inputs, outputs, kernel, stride, expand):
    super().__init__()
    middle = inputs * expand
    if expand > 1:
      self._expand_conv = SameConv(inputs, middle, 1)
      self._bn0 = nn.BatchNorm2d(middle, eps=1e-3)
    self._depthwise_conv = SameConv(middle, middle, kernel, stride, groups=middle)
    self._bn1 = nn.BatchNorm2d(middle, eps=1e-3)
    self._project_conv = SameConv(middle, outputs, 1)
    self._bn2 = nn.BatchNorm2d(outputs, eps=1e-3)
    self.expands, self.residual = expand > 1, stride == 1 and inputs == outputs

  def forward(self, x):
    y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
    y = F.relu6(self._bn1(self._depthwise_conv(y)))
    y = self._bn2(self._project_conv(y))
    return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
  STAGES = (  # Depth, channels, kernel, stride, expand.
    *((1, 16, 3, 1, 1), (2, 24, 3, 2, 6), (2, 40, 5, 2, 6), (3, 80, 3, 2, 6)),
    *((3, 112, 5, 1, 6), (4, 192, 5, 2, 6), (1, 320, 3, 1, 6)),
  )

  def __init__(self, classes=1000):
    super().__init__()
    self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2), nn.BatchNorm2d(32, eps=1e-3)
    self._blocks, inputs = nn.ModuleList(), 32
    for depth, outputs, kernel, stride, expand in self.STAGES:
      for j in range(depth):
        self._blocks.append(LiteBlock(inputs, outputs, kernel, 1 if j else stride, expand))
        inputs = outputs
    self._conv_head, self._bn1 = SameConv(inputs, 1280, 1), nn.BatchNorm2d(1280, eps=1e-3)
    self._fc = nn.Linear(1280, classes)

  def forward(self, x):
    x = F.relu6(self._bn0(self._conv_stem(x)))
    for block in self._blocks:
      x = block(x)
    x = F.relu6(self._bn1(self._conv_head(x)))
    return self._fc(x.mean((2, 3)))
