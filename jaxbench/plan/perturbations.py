"""What a config asks to do to images: clean, corrupted, written on, attacked or transferred to."""

import inspect
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from jaxbench import attacks, config, corruptions, errors, spec, stylize, typography
from jaxbench.plan import corrupted
from jaxbench.plan.classifiers import Absent, Classifier, Surrogate

CLEAN = "clean"
STYLIZED = "stylized"


class Perturbation(NamedTuple):
  """What is done to the images of a cell; `plan.Cell` explains the fields."""

  text: str  # As a person would write it.
  full: str  # With all that can change a number.
  severity: int | None = None
  sequence: str | None = None
  moves: bool = False  # The image, so that more of it is needed than the model is given.
  attack: str | None = None
  norm: str | None = None
  epsilon: float | None = None
  tolerance: float | None = None
  forwards: int = 1
  backwards: int = 0
  surrogate: Surrogate | None = None
  knowledge: str | None = None

  @property
  def members(self) -> tuple[Classifier, ...]:
    """Of the surrogate."""
    return self.surrogate.members if self.surrogate else ()


def of_targets(settings: config.Config, absent: list[Absent]) -> Iterator[Perturbation]:
  """All but transfer: what needs no model besides the one that is evaluated.

  Frost without its photographs becomes absent.

  Raises:
    InputError: a corruption, overlay or attack is unknown or cannot be run from a config.
  """
  yield Perturbation(CLEAN, CLEAN)
  for name in settings.corruptions.names:
    try:
      streams = [
        corrupted.stream(name, severity, settings.corruptions)
        for severity in settings.corruptions.severities
      ]
    except corruptions.NoTextures as error:
      absent.append(Absent(name, str(error)))
      continue
    for severity, stream in zip(settings.corruptions.severities, streams, strict=True):
      yield Perturbation(name, stream, severity=severity)
  for name in settings.corruptions.sequences:
    yield _sequence(name, settings.corruptions)
  if settings.stylization.weights:
    made_with = {
      "weights": stylize.sha256(settings.stylization.weights),
      "paintings": stylize.Paintings(settings.stylization.paintings).sha256,
    }
    yield Perturbation(STYLIZED, spec.write(STYLIZED, made_with))
  for text in settings.typography:
    resolved = spec.resolve(text, typography.OVERLAYS, "typographic attack")
    overlay = spec.build(resolved)
    yield Perturbation(resolved.text, resolved.full, knowledge=overlay.knowledge)
  for text in settings.attacks.names:
    resolved, cascade = _cascade(text)
    for epsilon in settings.attacks.epsilons:
      yield _attack(resolved, cascade, epsilon)
  for text in settings.attacks.smallest:
    resolved, cascade = _cascade(text)
    if len(cascade.attacks) > 1:
      raise errors.InputError(
        f"--config.attacks.smallest: {resolved.text} is several attacks in a row; name one of them"
      )
    yield _attack(resolved, cascade, max(settings.attacks.epsilons), settings.attacks.tolerance)


def _sequence(name: str, asked: config.Corruptions) -> Perturbation:
  chosen: dict[str, Any] = {"variant": asked.variant, "difficulty": asked.difficulty}
  film = corruptions.film(name, 32, 32, im_round=asked.im_round, **chosen)
  if film.im_rounded:
    chosen["im_round"] = asked.im_round
  harder = f", difficulty={asked.difficulty}" if asked.difficulty > 1 else ""
  options = ", ".join(f"{key}={value!r}" for key, value in chosen.items())
  return Perturbation(
    f"sequence({name}{harder})",
    f"sequence({name}, {options})",
    sequence=name,
    moves=film.moves,
    forwards=film.length,
  )


def _cascade(text: str) -> tuple[spec.Spec, attacks.Cascade]:
  resolved = spec.resolve(text, attacks.ATTACKS, "attack")
  cascade = attacks.cascade(spec.build(resolved))
  if cascade.draws > 1:
    raise errors.InputError(
      f"{resolved.text} is for randomised classifiers, which take a key; the models of a config "
      "do not: call attacks.run on yours"
    )
  return resolved, cascade


def _attack(
  resolved: spec.Spec, cascade: attacks.Cascade, epsilon: float, tolerance: float | None = None
) -> Perturbation:
  """At one epsilon or, with a tolerance, searching for the smallest one up to it."""
  norm = _norm(cascade.attacks[0], epsilon)
  forwards, backwards = 1, 0
  for written in cascade.attacks:
    one = attacks.as_run(written, bisected=tolerance is not None)
    probes = 1 if tolerance is None else attacks.most_probes(one, epsilon, tolerance)
    steps = one.steps * one.runs * probes
    forwards += 1 + one.forwards * steps
    backwards += one.backwards * steps
  names = resolved.text, resolved.full
  text, full = names if tolerance is None else (f"smallest({name})" for name in names)
  return Perturbation(
    text,
    full,
    attack=resolved.text,
    norm=norm,
    epsilon=epsilon,
    tolerance=tolerance,
    forwards=forwards,
    backwards=backwards,
    knowledge=cascade.knowledge,
  )


def _norm(attack: attacks.Attack, epsilon: float) -> str:
  """The name of its norm, of which `epsilon` has to be a radius."""
  norm = attacks.norm_name(attack.norm)
  if norm == "linf" and epsilon > 1:
    raise config.not_in_pixels()
  return norm


def for_transfer(text: str, *, encodes: bool) -> spec.Spec:
  """An attack as it is made for transfer: it never stops early.

  Args:
    text: of the attack.
    encodes: whether it is made on an image encoder, by the distance of embeddings.

  Raises:
    InputError: it cannot be made so.
  """
  loss = {"loss": "distance"} if encodes else {}
  return spec.resolve(text, attacks.ATTACKS, "attack", keep_going=True, **loss)


def transfers(
  settings: config.Config, surrogates: list[Surrogate], data_name: str, absent: list[Absent]
) -> Iterator[Perturbation]:
  """Every transfer attack from every surrogate, at every epsilon or bisected.

  What cannot be made on a surrogate becomes absent.

  Raises:
    InputError: an attack has no form for transfer.
  """
  asked = settings.attacks
  texts = dict.fromkeys((*asked.transfer, *asked.smallest_transfer))
  resolved = {text: _transferable(text) for text in texts}
  usable = {
    text: list(_usable(surrogates, attack, data_name, absent)) for text, attack in resolved.items()
  }
  for text, epsilon in itertools.product(asked.transfer, asked.epsilons):
    yield from (_transfer(resolved[text], surrogate, epsilon) for surrogate in usable[text])
  for text in asked.smallest_transfer:
    for surrogate in usable[text]:
      yield _transfer(resolved[text], surrogate, max(asked.epsilons), asked.tolerance)


def _usable(
  surrogates: list[Surrogate], attack: spec.Spec, data_name: str, absent: list[Absent]
) -> Iterator[Surrogate]:
  """Surrogates that the attack can be made on; an encoder of images needs its own loss."""
  for surrogate in surrogates:
    if not surrogate.encodes:
      yield surrogate
      continue
    what = f"transfer of {attack.text} from {surrogate.name} on {data_name}"
    if (loss := attack.arguments.get("loss", "distance")) != "distance":
      absent.append(Absent(what, f"its loss {loss!r} needs classes, an embedding has none"))
      continue
    try:
      spec.build(for_transfer(attack.text, encodes=True))
    except errors.InputError as error:
      absent.append(Absent(what, f"{error}; pgd and apgd can attack embeddings"))
    else:
      yield surrogate


def _transferable(text: str) -> spec.Spec:
  """An attack that has a form for transfer."""
  written, _ = _cascade(text)
  option = "keep_going"
  if option not in inspect.signature(written.call).parameters:
    reason = "it stops where it fools its surrogate"
  elif not written.arguments.get(option, True):
    reason = f"{option}=False stops where it fools its surrogate"
  else:
    if not spec.build(for_transfer(text, encodes=False)).minimizes:
      return written
    reason = "it looks for the smallest perturbation"
  raise errors.InputError(f"--config.attacks.transfer: {written.text} has no transfer: {reason}")


def _transfer(
  written: spec.Spec, surrogate: Surrogate, epsilon: float, tolerance: float | None = None
) -> Perturbation:
  """Made with all members of the surrogate; looked at by them and by one target."""
  made = for_transfer(written.text, encodes=surrogate.encodes)
  attack, members = spec.build(made), len(surrogate.members)
  steps = attack.steps * attack.runs
  once = 1 + members * (1 + attack.forwards * steps)
  probes = 1 if tolerance is None else attacks.most_probes(attack, epsilon, tolerance)
  names = (f"transfer({name}, {surrogate.name})" for name in (written.text, made.full))
  text, full = (f"smallest({name})" for name in names) if tolerance else names
  return Perturbation(
    text,
    full,
    attack=written.text,
    norm=_norm(attack, epsilon),
    epsilon=epsilon,
    tolerance=tolerance,
    forwards=probes * once + (tolerance is not None),
    backwards=probes * members * attack.backwards * steps,
    surrogate=surrogate,
    knowledge=surrogate.knowledge,
  )
