"""The taste model: a hierarchical mixed logit whose customers' tastes are inferred from what their state tells.

Belongs here: its parameters and its predictions, in plain numpy.
Does not belong here: learning (`taste_fit.py`), its inputs (`taste_inputs.py`), the blend with the regression (`model.py`).

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

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from globolatte_ml.taste_inputs import TasteInputs

ROWS_AT_ONCE = 1024
ADDONS_PER_ORDER = 2.0
"""An order offers so many occasions for an add-on; what is more counts as if each were taken."""


@dataclass(frozen=True)
class TasteParameters:
    """Everything the taste model learns. G groups, K products, p circumstances, R draws in r dimensions.

    Attributes:
        circumstances: (K, p) utilities. habit: (HABITS,) utilities.
        group_logits: (G,) of the groups' shares. group_means: (G, K). spread: (K, r), the factor of the covariance within groups.
        certainty: (1,) log of the weight of main products as evidence: 0 if they tell as much as the model thinks.
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

    def from_vector(self, vector: np.ndarray) -> TasteParameters:
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
        log_addon_appeal: (M,) log sum over products of exp(addon utility + weighted taste).
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
    def of(cls, parameters: TasteParameters, draws: np.ndarray) -> Population:
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

    @property
    def members(self) -> np.ndarray:
        """Which tastes belong to which group, (G, M) of 0 and 1."""
        return np.repeat(np.eye(len(self.log_addon)), self.draws_per_group, axis=1)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log shares along the last axis."""
    moved = logits - logits.max(axis=-1, keepdims=True)
    shares: np.ndarray = moved - np.log(np.exp(moved).sum(axis=-1, keepdims=True))
    return shares


def utilities(parameters: TasteParameters, inputs: TasteInputs) -> tuple[np.ndarray, np.ndarray]:
    """exp of the utility without taste, at the order and on average before it: (n, K) each, the highest of a row being 1."""
    both = (
        inputs.now @ parameters.circumstances.T + _weighed(parameters.habit, inputs.habit_now),
        inputs.past @ parameters.circumstances.T + _weighed(parameters.habit, inputs.habit_past),
    )
    now, past = (np.exp(utility - utility.max(axis=1, keepdims=True)) for utility in both)
    return now, past


def _weighed(weights: np.ndarray, habits: tuple[np.ndarray, ...]) -> np.ndarray:
    total = habits[0] * weights[0]
    for weight, habit in zip(weights[1:], habits[1:], strict=True):
        total = total + habit * weight
    return total


def log_weights(population: Population, inputs: TasteInputs, past: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log weights (n, M) of the tastes before the order, up to a constant per row, and sum_k past_k appeal_k, (n, M)."""
    before = past @ population.appeal.T
    shown = population.certainty * inputs.mains + population.addon_weight * inputs.addons
    every = np.log(population.addon_appeal.sum(axis=1))[None, :]
    weights = shown @ population.tastes.T - (population.certainty * inputs.orders)[:, None] * np.log(before)
    weights = weights - inputs.addon_lines[:, None] * every + population.log_share[None, :]
    return weights + group_evidence(population, inputs) @ population.members, before


def group_evidence(population: Population, inputs: TasteInputs) -> np.ndarray:
    """Log likelihood (n, G) of dayparts and basket sizes so far."""
    return (
        inputs.dayparts @ population.log_dayparts.T
        + inputs.addon_lines[:, None] * population.log_addon[None, :]
        + free_occasions(inputs)[:, None] * population.log_no_addon[None, :]
    )


def free_occasions(inputs: TasteInputs) -> np.ndarray:
    """Occasions for an add-on that were not taken, (n,)."""
    return (ADDONS_PER_ORDER * inputs.orders - inputs.addon_lines).clip(min=0.0)


def log_taste_probabilities(parameters: TasteParameters, draws: np.ndarray, inputs: TasteInputs) -> np.ndarray:
    """log P(main product), (n, K), finite."""
    probabilities = taste_probabilities(parameters, draws, inputs)
    logs: np.ndarray = np.log(probabilities.clip(min=np.finfo(np.float64).tiny))
    return logs


def taste_probabilities(parameters: TasteParameters, draws: np.ndarray, inputs: TasteInputs) -> np.ndarray:
    """P(main product), (n, K): rows sum to 1."""
    population = Population.of(parameters, draws)
    if not isinstance(inputs.mains, np.ndarray) or len(inputs) <= ROWS_AT_ONCE:
        return _predicted(parameters, population, inputs)
    pieces = range(0, len(inputs), ROWS_AT_ONCE)
    return np.vstack(
        [_predicted(parameters, population, inputs.take(slice(start, start + ROWS_AT_ONCE))) for start in pieces]
    )


def _predicted(parameters: TasteParameters, population: Population, inputs: TasteInputs) -> np.ndarray:
    now, past = utilities(parameters, inputs)
    weights, _ = log_weights(population, inputs, past)
    weights = weights + (inputs.daypart @ population.log_dayparts.T) @ population.members
    shares = np.exp(weights - weights.max(axis=1, keepdims=True))
    shares = shares / (now @ population.appeal.T)
    probabilities = now * (shares @ population.appeal)
    normalised: np.ndarray = probabilities / probabilities.sum(axis=1, keepdims=True)
    return normalised
