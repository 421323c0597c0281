"""What RoZ evaluates (Wang et al., 2024, arXiv:2403.10499), as names for configs.

Settings of attacks are those of its code: steps of 0.15 epsilon, 20 of them and 10 by transfer.
DeepFool is the fifth white-box attack; how many classes it looks at is up to the config.
"""

# Seven natural shifts and a synthetic one.
SHIFTS = (
  "imagenetv2-matched-frequency",
  "imagenet-r",
  "imagenet-a",
  "imagenet-sketch",
  "objectnet",
  "imagenet-vid-robust",
  "ytbb-robust",
  "stylized-imagenet",
)
# What effective robustness is measured against: ImageNet's images of the same classes.
STANDARDS = (
  "imagenet",
  "imagenet-on-imagenet-r",
  "imagenet-on-imagenet-a",
  "imagenet-on-objectnet",
  "imagenet-on-imagenet-vid-robust",
  "imagenet-on-ytbb-robust",
)
GRADIENTS = (
  "fgsm",
  "bim(steps=20, relative_step=3.0)",
  "mim(steps=20, relative_step=3.0)",
  "dim(steps=20, relative_step=3.0)",
)
TRANSFER = (
  "fgsm",
  "bim(steps=10, relative_step=1.5)",
  "mim(steps=10, relative_step=1.5)",
  "dim(steps=10, relative_step=1.5)",
)
SCORES = ("nes", "spsa")
