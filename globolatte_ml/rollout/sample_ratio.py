"""Whether customers are split between challenger and champion as declared: a sequential multinomial test.

If they are not, some requests are lost or misrouted, and no comparison of the two sides says anything. The e-value is the Bayes factor
of Lindon and Malek, "Anytime-valid inference for multinomial count data" (NeurIPS 2022): a Dirichlet distribution around the
declared shares against the shares themselves. Customers are counted, each once a stage, since a customer's requests stay together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from globolatte_ml.rollout.evidence import SAMPLE_RATIO_ERROR

CONCENTRATION = 100.0
"""Of the Dirichlet distribution: as if the alternative had been seen with so many customers. It finds deviations of about a tenth first."""


@dataclass(frozen=True)
class Split:
    """A stage with a constant split: the challenger's share as declared, and the customers that each side answered."""

    share: float
    challenger: int
    champion: int

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise ValueError(f"a challenger's share of {self.share} is no split; declare one between 0 and 1")


@dataclass(frozen=True)
class SampleRatio:
    """What the splits so far say: `evidence` is the log e-value of a mismatch."""

    challenger: int
    champion: int
    expected: float
    evidence: float

    @property
    def mismatch(self) -> bool:
        """Whether the split is not the declared one."""
        return self.evidence >= math.log(1.0 / SAMPLE_RATIO_ERROR)

    @property
    def sentence(self) -> str:
        """Counts, expectation and boundary for people."""
        total = self.challenger + self.champion
        verdict = "not as declared" if self.mismatch else "no sign of another split than declared"
        return (
            f"sample ratio: the challenger answered {self.challenger:,} of {total:,} customers, {self.expected:,.0f} expected: {verdict}, "
            f"with evidence {math.exp(min(self.evidence, 13.8)):.3g} (boundary {1.0 / SAMPLE_RATIO_ERROR:.0f})."
        )


def sample_ratio(splits: Sequence[Split]) -> SampleRatio:
    """All stages together: their Bayes factors multiply."""
    evidence = sum(_log_bayes_factor(split) for split in splits)
    challenger, champion = sum(split.challenger for split in splits), sum(split.champion for split in splits)
    expected = sum(split.share * (split.challenger + split.champion) for split in splits)
    return SampleRatio(challenger, champion, expected, evidence)


def _log_bayes_factor(split: Split) -> float:
    found = math.lgamma(CONCENTRATION) - math.lgamma(CONCENTRATION + split.challenger + split.champion)
    for count, share in ((split.challenger, split.share), (split.champion, 1.0 - split.share)):
        prior = CONCENTRATION * share
        found += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return found
