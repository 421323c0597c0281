"""Every attack, with settings for tiny classifiers; a new one adds a row here."""

from jaxbench import attacks
from jaxbench.attacks.parts import norms

TABLE = {
  "fgsm": attacks.fgsm(),
  "fgsm, l2": attacks.fgsm(norm="l2"),
  "bim": attacks.bim(steps=5),
  "pgd": attacks.pgd(steps=5),
  "pgd, l2": attacks.pgd(steps=5, norm="l2"),
  "pgd, l1": attacks.pgd(steps=5, norm="l1"),
  "pgd, dlr, restarts": attacks.pgd(steps=3, loss="dlr", restarts=2),
  "pgd, all steps": attacks.pgd(steps=5, keep_going=True),
  "pgd, distance": attacks.pgd(steps=5, loss="distance", relative_step=10.0),
  "apgd": attacks.apgd(steps=5),
  "apgd, l2, restarts": attacks.apgd(steps=5, norm="l2", loss="margin", restarts=2),
  "apgd, l1": attacks.apgd(steps=7, norm="l1"),
  "apgd, targets": attacks.apgd(steps=4, loss="dlr", targets=3),
  "apgd, all steps": attacks.apgd(steps=5, keep_going=True),
  "autoattack": attacks.autoattack(steps=4, targets=2, queries=30),
  "fab": attacks.fab(steps=5, targets=3),
  "fab, l2": attacks.fab(steps=5, norm="l2", targets=3),
  "fab, l1": attacks.fab(steps=5, norm="l1", targets=3),
  "fab, untargeted, restarts": attacks.fab(steps=4, targets=0, restarts=2),
  "cw": attacks.cw(steps=40, searches=3, initial_constant=1.0),
  "cw_linf": attacks.cw_linf(steps=20, initial_constant=0.5),
  "mim": attacks.mim(steps=5),
  "mim, l2": attacks.mim(steps=5, norm="l2"),
  "dim, all steps": attacks.dim(steps=5, relative_step=2.5, rate=0.5, keep_going=True),
  "tim": attacks.tim(steps=5, relative_step=2.5, kernel=3),
  "ni": attacks.ni(steps=4, relative_step=2.5),
  "si": attacks.si(steps=4, relative_step=2.5, copies=2),
  "vmi": attacks.vmi(steps=4, relative_step=2.5, neighbors=2),
  "ddn": attacks.ddn(steps=20, initial_radius=0.4),
  "deepfool": attacks.deepfool(steps=6),
  "ead": attacks.ead(steps=20, searches=2, initial_constant=1.0),
  "fmn": attacks.fmn(steps=10),
  "fmn, l1": attacks.fmn(steps=10, norm="l1", keep_going=True),
  "nes": attacks.nes(queries=84, pairs=10),
  "spsa": attacks.spsa(queries=84, pairs=10),
  "simba": attacks.simba(queries=60),
  "boundary": attacks.boundary(queries=60),
  "hopskipjump": attacks.hopskipjump(queries=200, samples=20),
  "square": attacks.square(queries=60),
  "square, l2": attacks.square(queries=60, norm="l2"),
  "square, l1": attacks.square(queries=60, norm="l1"),
}
# One of each way in which the engine treats an attack; of the laws that compile much, the usual run
# holds these alone to all, the rest is slow.
KINDS = (
  "pgd",
  "apgd, l2, restarts",
  "apgd, all steps",
  "autoattack",
  "cw",
  "fab, l1",
  "fmn, l1",
  "nes",
  "hopskipjump",
  "square",
)
RADII = {"linf": 8 / 255, "l2": 0.4, "l1": 4.0}


def radius(attack):
  """An epsilon at which the attack fools many on tiny classifiers, and not all."""
  return RADII[norms.norm_name(attacks.cascade(attack).attacks[0].norm)]


def name_of(row):
  """The attack's name in `attacks.ATTACKS`."""
  return row.partition(",")[0]
