"""120 names of timm that people evaluate: 98 of families that are built here, and 22 of others."""

OF_OUR_FAMILIES = {
  "vit": """
    vit_tiny_patch16_224 vit_small_patch16_224 vit_small_patch16_384 vit_small_patch32_224
    vit_base_patch32_224 vit_base_patch32_384 vit_base_patch16_224 vit_base_patch16_384
    vit_large_patch16_224 vit_large_patch16_384
  """,
  "deit": """
    deit_tiny_patch16_224 deit_small_patch16_224 deit_base_patch16_224 deit_base_patch16_384
    deit3_small_patch16_224 deit3_base_patch16_224
  """,
  "dino": """
    vit_small_patch14_dinov2 vit_base_patch14_dinov2 vit_large_patch14_dinov2
    vit_base_patch16_dinov3 vit_large_patch16_dinov3
  """,
  "beit": "beit_base_patch16_224 beit_large_patch16_224",
  "resnet": """
    resnet18 resnet26 resnet34 resnet50 resnet101 resnet152 resnet50d resnet101d resnext50_32x4d
    resnext101_32x4d resnext101_32x8d resnext101_64x4d wide_resnet50_2 wide_resnet101_2
  """,
  "convnext": """
    convnext_atto convnext_nano convnext_tiny convnext_small convnext_base convnext_large
    convnext_xlarge convnextv2_atto convnextv2_pico convnextv2_nano convnextv2_tiny
    convnextv2_base convnextv2_large convnextv2_huge
  """,
  "swin": """
    swin_tiny_patch4_window7_224 swin_small_patch4_window7_224 swin_base_patch4_window7_224
    swin_base_patch4_window12_384 swin_large_patch4_window7_224 swin_large_patch4_window12_384
    swinv2_tiny_window8_256 swinv2_base_window8_256
  """,
  "efficientnet": """
    efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 tf_efficientnet_b0
    tf_efficientnet_b3 tf_efficientnet_b4 tf_efficientnet_b5 tf_efficientnet_b7
    tf_efficientnet_lite0 tf_efficientnetv2_s tf_efficientnetv2_m tf_efficientnetv2_l
    tf_efficientnetv2_b0 efficientnetv2_rw_s
  """,
  "mobilenet": """
    mobilenetv2_100 mobilenetv2_120d mobilenetv3_large_100 mobilenetv3_small_100
    tf_mobilenetv3_large_100
  """,
  "regnet": """
    regnety_004 regnety_008 regnety_016 regnety_032 regnety_040 regnety_080 regnety_160
    regnety_320
  """,
  "densenet": "densenet121 densenet161 densenet169 densenet201",
  "vgg": "vgg11 vgg11_bn vgg13 vgg16 vgg16_bn vgg19 vgg19_bn",
}
_OF_OTHERS = """
  maxvit_tiny_tf_224 coatnet_0_rw_224
  xcit_small_12_p16_224 cait_s24_224 crossvit_15_240 mixer_b16_224 resmlp_24_224 poolformer_s24
  levit_256 efficientvit_b1 mobilevit_s mobilenetv4_conv_medium ghostnet_100 inception_v3
  inception_v4 dm_nfnet_f0 resnetv2_50 seresnet50 regnetx_032 hrnet_w18
  volo_d5_512 vit_base_patch16_sapiens2
"""
OTHERS = _OF_OTHERS.split()
COMMON = [name for names in OF_OUR_FAMILIES.values() for name in names.split()]
