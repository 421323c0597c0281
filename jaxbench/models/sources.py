"""Where weights of each architecture are found."""

from jaxbench.models.architectures import ARCHITECTURES

# Repositories whose names `load` takes as they stand; any other of a known format works too.
SOURCES: dict[str, tuple[str, ...]] = {
  "ViT-B-32-quickgelu": ("openai/clip-vit-base-patch32",),
  "ViT-B-16-quickgelu": ("openai/clip-vit-base-patch16",),
  "ViT-L-14-quickgelu": (
    "openai/clip-vit-large-patch14",
    "chs20/fare2-clip",
    "chs20/fare4-clip",
    "chs20/tecoa2-clip",
    "chs20/tecoa4-clip",
  ),
  "ViT-L-14-336-quickgelu": ("openai/clip-vit-large-patch14-336",),
  "RN50-quickgelu": ("timm/resnet50_clip.openai",),
  "RN101-quickgelu": ("timm/resnet101_clip.openai",),
  "RN50x4-quickgelu": ("timm/resnet50x4_clip.openai",),
  "RN50x16-quickgelu": ("timm/resnet50x16_clip.openai",),
  "RN50x64-quickgelu": ("timm/resnet50x64_clip.openai",),
  "ViT-B-32": ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K",),
  "ViT-B-16": ("laion/CLIP-ViT-B-16-laion2B-s34B-b88K",),
  "ViT-L-14": ("laion/CLIP-ViT-L-14-laion2B-s32B-b82K",),
  "ViT-H-14": ("laion/CLIP-ViT-H-14-laion2B-s32B-b79K",),
  "ViT-g-14": ("laion/CLIP-ViT-g-14-laion2B-s34B-b88K",),
  "ViT-bigG-14": ("laion/CLIP-ViT-bigG-14-laion2B-39B-b160k",),
  "ViT-B-16-SigLIP": ("google/siglip-base-patch16-224",),
  "ViT-L-16-SigLIP-256": ("google/siglip-large-patch16-256",),
  "ViT-SO400M-14-SigLIP-384": ("google/siglip-so400m-patch14-384",),
  "ViT-B-16-SigLIP2": ("google/siglip2-base-patch16-224",),
  "ViT-L-16-SigLIP2-256": ("google/siglip2-large-patch16-256",),
  "ViT-SO400M-14-SigLIP2": ("google/siglip2-so400m-patch14-224",),
  **{
    name: (f"timm/{name}.tv_in1k",)
    for name in ARCHITECTURES
    if name.startswith("vgg") or name in ("resnet18", "resnet34", "resnet50", "resnet101")
  },
  "resnet152": ("timm/resnet152.tv_in1k", "microsoft/resnet-152"),
  **{f"efficientnet_b{i}": (f"google/efficientnet-b{i}",) for i in range(8)},
  "vit_b_16": ("google/vit-base-patch16-224", "google/vit-base-patch16-384"),
  "vit_b_32": ("google/vit-base-patch32-384", "timm/vit_base_patch32_224.augreg_in21k_ft_in1k"),
  "convnext_tiny": ("facebook/convnext-tiny-224", "timm/convnext_tiny.fb_in1k"),
  "convnext_base": ("facebook/convnext-base-224", "timm/convnext_base.fb_in1k"),
}
