"""The taste model: a hierarchical mixed logit whose customers' tastes are inferred from their state.

A customer's taste (K utilities) is drawn from a mixture of G normal groups; every order adds to it what circumstances and habit
give, and Gumbel noise: a mixed logit (McFadden and Train 2000). The population is held as M = G x R fixed tastes, R normal
quasi-random draws of each group, moved by the group's mean and the common spread. For one customer the M tastes are weighed by
the likelihood of what the state shows:

- n main products counted `mains`: sum_k mains_k taste_k - n log sum_k exp(past_k + taste_k), `past` being the mean utility of
  the circumstances and habits of those orders. The counts are sufficient; putting the mean of past utilities in place of each
  one is all that is approximated (their spread within one customer is small against the tastes').
- add-ons: a logit of their own on a part of the same taste. - dayparts and basket size: each group has its own.

The prediction is the mean of the M choice probabilities under these weights.
"""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from globolatte_ml.data.shares import log_softmax, softmax
from globolatte_ml.model.taste_inputs import PAST_HABITS, TasteInputs

ROWS_AT_ONCE = 1024
ADDONS_PER_ORDER = 2.0
"""An order offers so many occasions for an add-on; what is more counts as if each were taken."""


@dataclass(frozen=True)
class TasteParameters:
    """Everything the taste model learns. G groups, K products, p circumstances, R draws in r dimensions.

    Attributes:
        circumstances: (K, p) utilities. habit: (HABITS,) utilities.
        group_logits: (G,) of the groups' shares. group_means: (G, K). spread: (K, r), the factor of the covariance within groups.
        certainty: (1,) log of the weight of main products as evidence: 0 if they are as informative as the model assumes.
        addon_weight: (1,) part of a taste that shows in add-ons. addon_utility: (K,).
        daypart_logits: (G, 4). basket_logits: (G,) of an add-on per occasion.
    """

    circumstances: np.ndarray
    habit: np.ndarray
    group_logits: np.ndarray
    group_means: np.ndarray
    spread: np.ndarray
    certainty: np.ndarray
    addon_weight: np.ndarray
    addon_utility: np.ndarray
    daypart_logits: np.ndarray
    basket_logits: np.ndarray

    def vector(self) -> np.ndarray:
        """All numbers in one vector, fields in order."""
        return np.concatenate([getattr(self, field.name).ravel() for field in fields(self)])

    def from_vector(self, vector: np.ndarray) -> "TasteParameters":
        """Parameters of this one's shapes with the numbers of `vector`."""
        parts, start = {}, 0
        for field in fields(self):
            like = getattr(self, field.name)
            parts[field.name] = vector[start : start + like.size].reshape(like.shape)
            start += like.size
        return TasteParameters(**parts)


@dataclass(frozen=True)
class Population:
    """The M tastes that parameters and draws make, and what of their weights is the same for all customers.

    Attributes:
        tastes: (M, K), rows with mean 0. appeal: exp of them.
        addon_weight: part of a taste that shows in add-ons. certainty: weight of main products.
        addon_appeal: (M, K) exp of addon utility and weighted taste.
        log_share: (M,). log_dayparts: (G, 4). log_addon, log_no_addon: (G,).
    """

    tastes: np.ndarray
    appeal: np.ndarray
    addon_weight: float
    certainty: float
    addon_appeal: np.ndarray
    log_share: np.ndarray
    log_dayparts: np.ndarray
    log_addon: np.ndarray
    log_no_addon: np.ndarray

    @classmethod
    def of(cls, parameters: TasteParameters, draws: np.ndarray) -> "Population":
        """`draws`: (R, r) standard normal."""
        groups, products = parameters.group_means.shape
        tastes = parameters.group_means[:, None, :] + draws @ parameters.spread.T
        tastes = tastes.reshape(groups * len(draws), products)
        tastes = tastes - tastes.mean(axis=1, keepdims=True)  # a taste for everything changes no choice
        addon_weight = float(parameters.addon_weight[0])
        return cls(
            tastes=tastes,
            appeal=np.exp(tastes),
            addon_weight=addon_weight,
            certainty=float(np.exp(parameters.certainty[0])),
            addon_appeal=np.exp(parameters.addon_utility + addon_weight * tastes),
            log_share=np.repeat(log_softmax(parameters.group_logits), len(draws)) - np.log(len(draws)),
            log_dayparts=log_softmax(parameters.daypart_logits),
            log_addon=-np.logaddexp(0.0, -parameters.basket_logits),
            log_no_addon=-np.logaddexp(0.0, parameters.basket_logits),
        )

    @property
    def draws_per_group(self) -> int:
        """R."""
        return len(self.tastes) // len(self.log_addon)

    @cached_property
    def evidence(self) -> np.ndarray:
        """What each main product, each add-on, each daypart and each free occasion for an add-on adds to the log weights,
        (2 K + 4 + 1, M)."""
        addon = np.repeat(self.log_addon, self.draws_per_group) - np.log(self.addon_appeal.sum(axis=1))
        by_group = np.vstack((self.log_dayparts.T, self.log_no_addon))
        return np.vstack(
            (
                self.certainty * self.tastes.T,
                self.addon_weight * self.tastes.T + addon,
                np.repeat(by_group, self.draws_per_group, axis=1),
            )
        )


def utilities(parameters: TasteParameters, inputs: TasteInputs) -> tuple[np.ndarray, np.ndarray]:
    """The utility without taste, at the order and on average before it: (n, K) each."""
    *last, older = parameters.habit
    now = inputs.now @ parameters.circumstances.T + (np.array(last) @ inputs.last + older * inputs.older)
    before = (PAST_HABITS @ parameters.habit) @ inputs.earlier
    return now, inputs.past @ parameters.circumstances.T + before * inputs.per_order


def log_weights(
    population: Population, inputs: TasteInputs, past: np.ndarray, dayparts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log weights (n, M) of the tastes, up to a constant per row, and sum_k past_k appeal_k, (n, M).

    past: (n, K), exp of the mean utility before the order, up to a factor per row. dayparts: (n, 4), counts of those that are used
    as evidence of the group.
    """
    before = past @ population.appeal.T
    shown = np.hstack((inputs.mains, inputs.addons, dayparts, free_occasions(inputs)))
    expected = (population.certainty * inputs.orders) * np.log(before)
    return (shown @ population.evidence + population.log_share) - expected, before


def free_occasions(inputs: TasteInputs) -> np.ndarray:
    """Occasions for an add-on that were not taken, (n, 1)."""
    return (ADDONS_PER_ORDER * inputs.orders - inputs.addon_lines).clip(min=0.0)


def taste_scores(parameters: TasteParameters, population: Population, inputs: TasteInputs) -> np.ndarray:
    """log P(main product), (n, K), up to a constant per row; finite. `population` is that of `parameters`."""
    if len(inputs) <= ROWS_AT_ONCE:
        return _scores(parameters, population, inputs)
    pieces = range(0, len(inputs), ROWS_AT_ONCE)
    return np.vstack(
        [_scores(parameters, population, inputs.take(slice(start, start + ROWS_AT_ONCE))) for start in pieces]
    )


def _scores(parameters: TasteParameters, population: Population, inputs: TasteInputs) -> np.ndarray:
    utility, earlier = utilities(parameters, inputs)
    weights, _ = log_weights(population, inputs, softmax(earlier), inputs.dayparts + inputs.daypart)
    choice = softmax(utility) @ population.appeal.T
    scores: np.ndarray = utility + np.log((softmax(weights) / choice) @ population.appeal)
    return scores
