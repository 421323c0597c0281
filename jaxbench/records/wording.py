"""Settings of cells as people write them, alike in a plan, in a report and in exports."""

from collections.abc import Mapping


def format_epsilon(epsilon: float) -> str:
  """4/255 rather than 0.0156863, where it is such a fraction."""
  steps = round(epsilon * 255, 3)
  return f"{steps:g}/255" if abs(steps / 255 - epsilon) < 1e-9 else f"{epsilon:g}"


def format_distance(distance: float, *, in_levels: bool) -> str:
  """What was measured, 2.71/255 or 0.0312, where epsilons are written `in_levels` of 8 bits."""
  return f"{255 * distance:.2f}/255" if in_levels else f"{distance:.3g}"


def setting(severity: int | None, epsilon: float | None) -> str:
  """The severity of a corruption or the epsilon of an attack; "" of what has neither."""
  if epsilon is not None:
    return format_epsilon(epsilon)
  return "" if severity is None else str(severity)


def where(sizes: Mapping[str, int | None]) -> str:
  """At which size images are perturbed, in words; "" if at the models' own, as is usual.

  An epsilon at another size is another threat: one that is harmless at 224 pixels may break every
  image of 32 that is enlarged inside.

  Args:
    sizes: of each model, or surrogate of transfer, the images' own size if they are perturbed at
      it; None if at the model's.
  """
  native = {name: size for name, size in sizes.items() if size}
  if not native:
    return ""
  size = next(iter(native.values()))
  text = f"at the images' own {size} x {size} pixels; the model resizes them inside"
  return text if len(native) == len(sizes) else f"{text} (only {', '.join(native)})"
