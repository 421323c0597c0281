"""Renamings into the names of OpenAI's CLIP, which open_clip keeps; see `mapping`."""

from jaxbench.models.weights.mapping import Renamings

_FUSED = ((r"in_proj\.(weight|bias)$", r"in_proj_\1"),)  # torch.nn.MultiheadAttention.


def clip() -> Renamings:
  """OpenAI's CLIP and open_clip."""
  return (
    *_FUSED,
    (r"^log_logit_scale$", "logit_scale"),
    (r"^text\.token_embedding$", "token_embedding.weight"),
    (r"^text\.", ""),
    *((rf"^visual\.layers\.{i}\.", f"visual.layer{i + 1}.") for i in range(4)),
    (r"downsample\.conv", "downsample.0"),
    (r"downsample\.bn", "downsample.1"),
  )
