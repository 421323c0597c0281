"""How the sessions of a run spent their time."""

import itertools

from etils import epath

from jaxbench.telemetry import journal


def spent(workdir: epath.PathLike) -> dict[str, str]:
  """Shares of the time of each session, as people read them."""
  found = {}
  lines = sorted(journal.read(workdir), key=lambda line: line["session"])
  for session, group in itertools.groupby(lines, key=lambda line: line["session"]):
    own = list(group)
    total = sum(line["seconds"] for line in own)
    shares = [
      f"{part} {sum(line[part] for line in own) / total:.0%}"
      for part in journal.PARTS
      if part in own[-1]
    ]
    memory = max((line["memory"] or 0 for line in own), default=0)
    told = f", at most {memory / 2**30:.1f} GiB on a device" if memory else ""
    found[session] = f"{', '.join(shares)}; slots {own[-1]['occupancy']:.0%} occupied{told}"
  return found
