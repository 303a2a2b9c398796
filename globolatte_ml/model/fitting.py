"""Fitting: candidates compared on later orders, the experts, and the weights of their pool.

How the taste model learns stands in `taste_fit.py`, the expert of habits in `habit_fit.py`, what features need in `priors.py`.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import fields, replace

import numpy as np

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.orders import Contexts, Orders, recency_weights, thinned, time_split
from globolatte_ml.data.ranking import pieces
from globolatte_ml.data.shares import log_softmax, softmax
from globolatte_ml.data.vocabulary import SEASONS
from globolatte_ml.model.encoding import encode_for
from globolatte_ml.model.features import features
from globolatte_ml.model.habit import HabitExpert, HabitParameters, HabitTables
from globolatte_ml.model.habit_fit import fit_habit, new_product_share
from globolatte_ml.model.metrics import log_loss
from globolatte_ml.model.predicting import MOST_PRODUCTS, FittedModel, pool
from globolatte_ml.model.priors import learn_feature_space
from globolatte_ml.model.taste_fit import fit_taste, quasi_normal_draws, start
from globolatte_ml.model.taste_inputs import taste_inputs

CAUTIOUS_PENALTY = 0.01
MINIMUM_VALIDATION_ORDERS = 30
MINIMUM_TASTE_ORDERS = 200
"""With fewer orders only the regression is used."""
TOO_FEW_ORDERS = (
    f"a search by AutoML needs {MINIMUM_VALIDATION_ORDERS} orders in the last eighth of the training span and two products sold "
    "before; use GLOBOLATTE_TRAINING=command until more are loaded"
)
MAXIMUM_TASTE_ORDERS, MAXIMUM_REGRESSION_ORDERS = 100_000, 250_000
"""More orders than these add no information about a few hundred parameters: every n-th order is taken."""
REGRESSION_ALONE = np.array([0.0, 1.0])
EXPECTED_BLEND, BLEND_PRIOR_ORDERS = np.array([0.6, 0.15, 0.25]), 4.0
"""The blend's weights before anything is known, and the strength of that belief. Weights that depend on the length of a history, and on how
habitual its customer is, were tried and predict later orders of real chains worse."""
HABIT_ALONE = np.array([0.0, 0.0, 1.0])
BLEND_ITERATIONS = 50
REGRESSION_ITERATIONS = 500
SIGNIFICANT_DIGITS = 10
TASTE_DIGITS = 6
"""Significant digits stored of the taste model, the habits and the blend: far more than the data determine, fewer than the search's noise
reaches."""


Watch = Callable[[], AbstractContextManager[object]]
_watches: list[Watch] = []


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Within it, the fit of a model's own regression happens inside `watch()`; those of candidates do not."""
    _watches.append(watch)
    try:
        yield
    finally:
        _watches.remove(watch)


def validation_orders(
    contexts: Contexts, chosen: np.ndarray, fresh_from: np.datetime64 | None
) -> tuple[np.ndarray | None, np.datetime64 | None]:
    """Which of n training orders candidates are compared on, (n,), none if they are too few; and from when on they are new to the
    model that is to be replaced, none where too little is new to choose a half-life by it."""
    later = time_split(contexts.date, fresh_from)
    if later.sum() < MINIMUM_VALIDATION_ORDERS:
        later, fresh_from = time_split(contexts.date), None
    enough = later.sum() >= MINIMUM_VALIDATION_ORDERS and len(np.unique(chosen[~later])) >= 2
    return (later if enough else None), fresh_from


def fit_model(model: FittedModel, orders: Orders, catalogue: tuple[str, ...], fresh_from: np.datetime64 | None) -> None:
    """Sets what `model` learns of orders in their canonical sequence."""
    if model.tabular is not None:
        _fit_around_tabular(model, orders, catalogue, fresh_from)
        return
    if len(catalogue) > MOST_PRODUCTS:
        _fit_habits_alone(model, orders, catalogue, fresh_from)
        return
    trial = _best_of_the_past(model, orders, catalogue, fresh_from)
    model.validation_log_loss_ = scores = trial.validation_log_loss_ if trial else {}
    cautious = (CAUTIOUS_PENALTY, model.half_lives[0])
    model.penalty_, model.half_life_ = min(scores, key=lambda one: scores[one]) if scores else cautious
    _learn_features(model, orders, catalogue)
    weights = recency_weights(orders.contexts.date, model.half_life_)
    rows = thinned(orders.chosen, MAXIMUM_REGRESSION_ORDERS)
    some = orders.take(rows)
    inputs = features(some.states, some.contexts, model.space_)
    _regress(model, inputs, some.chosen, model.penalty_, None if weights is None else weights[rows])
    if trial and trial.taste_ is not None:
        model.blend_ = round_significant(trial.blend_, TASTE_DIGITS)
        _fit_taste(model, orders, weights, trial)
        _fit_habit(model, orders)


def _fit_habits_alone(
    model: FittedModel, orders: Orders, catalogue: tuple[str, ...], fresh_from: np.datetime64 | None
) -> None:
    """A model of many products. A trial of the earlier orders tells how well the later ones are predicted; there is nothing to choose."""
    model.penalty_, model.half_life_, model.validation_log_loss_ = 0.0, None, {}
    later, _ = validation_orders(orders.contexts, orders.chosen, fresh_from)
    if later is not None:
        trial = FittedModel(**model.get_params())
        _learn_habits_alone(trial, orders.take(~later), catalogue)
        after = orders.take(later)
        loss = 0.0
        for rows in pieces(len(after), len(catalogue)):
            some = after.take(rows)
            said = trial.predict_encoded(encode_for(some.states, some.contexts, trial.space_))
            loss += log_loss(said, some.chosen) * len(some) / len(after)
        model.validation_log_loss_ = {(0.0, None): loss}
    _learn_habits_alone(model, orders, catalogue)


def _learn_habits_alone(model: FittedModel, orders: Orders, catalogue: tuple[str, ...]) -> None:
    _learn_features(model, orders, catalogue)
    model.space_, model.blend_ = replace(model.space_, has_counts=False), HABIT_ALONE
    model.coef_, model.intercept_ = np.zeros((0, 0)), np.zeros(0)
    model.floor_ = new_product_share(orders.contexts.date, orders.chosen, len(catalogue))
    _fit_habit(model, orders)


def _best_of_the_past(
    model: FittedModel, orders: Orders, catalogue: tuple[str, ...], fresh_from: np.datetime64 | None
) -> FittedModel | None:
    """A model of the earlier orders whose penalty, half-life and blend are the best for the later ones, if these suffice."""
    later, fresh_from = validation_orders(orders.contexts, orders.chosen, fresh_from)
    if later is None:
        return None
    past, after = orders.take(~later), orders.take(later)
    trial = FittedModel(**model.get_params())
    trial.half_lives = model.half_lives if fresh_from is not None else model.half_lives[:1]
    _learn_features(trial, past, catalogue)
    some = past.take(thinned(past.chosen, MAXIMUM_REGRESSION_ORDERS))
    logits = _try_penalties(trial, some, after)
    if len(past) >= MINIMUM_TASTE_ORDERS:
        _fit_taste(trial, past, recency_weights(past.contexts.date, trial.half_life_))
        _fit_habit(trial, past)
        _learn_blend(trial, after, logits)
    return trial


def _fit_around_tabular(
    model: FittedModel, orders: Orders, catalogue: tuple[str, ...], fresh_from: np.datetime64 | None
) -> None:
    """A model around a classifier that was fitted on the orders before the validation orders.

    Raises InvalidDataError if there are too few orders for that.
    """
    later, _ = validation_orders(orders.contexts, orders.chosen, fresh_from)
    if later is None:
        raise InvalidDataError(TOO_FEW_ORDERS)
    past, after = orders.take(~later), orders.take(later)
    trial = FittedModel(**model.get_params())
    _learn_features(trial, past, catalogue)
    trial.coef_, trial.intercept_, trial.tabular_sold_ = np.zeros((0, 0)), np.zeros(0), trial.sold_
    inputs = features(after.states, after.contexts, trial.space_)
    model.penalty_, model.half_life_ = 0.0, None
    model.validation_log_loss_ = {(0.0, None): log_loss(_alone(trial, inputs), after.chosen)}
    _learn_features(model, orders, catalogue)
    model.space_, model.tabular_sold_ = trial.space_, trial.tabular_sold_
    model.coef_, model.intercept_ = trial.coef_, trial.intercept_
    if len(past) >= MINIMUM_TASTE_ORDERS:
        if len(catalogue) <= MOST_PRODUCTS:
            _fit_taste(trial, past, None)
        _fit_habit(trial, past)
        _learn_blend(trial, after, trial.logits(inputs))
        model.blend_ = round_significant(trial.blend_, TASTE_DIGITS)
        if trial.taste_ is not None:
            _fit_taste(model, orders, None, trial)
        _fit_habit(model, orders)


def _learn_features(model: FittedModel, orders: Orders, catalogue: tuple[str, ...]) -> None:
    """Learns what features need; the regression answers alone for now."""
    model.space_ = learn_feature_space(orders.states, orders.contexts, orders.chosen, catalogue)
    model.classes_ = np.array(catalogue)
    model.n_orders_ = len(orders)
    model.floor_ = 1.0 / (len(orders) + len(catalogue))
    model.sold_ = np.unique(orders.chosen)
    model.taste_, model.habit_, model.blend_, model.draws_ = None, None, REGRESSION_ALONE, np.zeros((0, 0))
    model.tabular_sold_ = np.zeros(0, np.int64)


def _try_penalties(trial: FittedModel, past: Orders, after: Orders) -> np.ndarray:
    """Log loss of the later orders by candidate; the logits (later orders, S) of the best, whose half-life is stored."""
    inputs = features(past.states, past.contexts, trial.space_)
    inputs_later = features(after.states, after.contexts, trial.space_)
    trial.validation_log_loss_ = {}
    best, logits = np.inf, np.zeros((len(after), len(trial.sold_)))
    for half_life in trial.half_lives:
        weights, lowest = recency_weights(past.contexts.date, half_life), np.inf
        for penalty in sorted(trial.penalties):
            _regress(trial, inputs, past.chosen, penalty, weights, is_candidate=True)
            loss = log_loss(_alone(trial, inputs_later), after.chosen)
            trial.validation_log_loss_[penalty, half_life] = loss
            if loss < best:
                best, trial.half_life_, logits = loss, half_life, trial.logits(inputs_later)
            if loss > lowest:
                break
            lowest = loss
    return logits


def _alone(model: FittedModel, inputs: np.ndarray) -> np.ndarray:
    """Probabilities (n, K) by the regression or the tabular classifier alone."""
    return model.of_all(softmax(model.logits(inputs)))


def _regress(
    model: FittedModel,
    inputs: np.ndarray,
    chosen: np.ndarray,
    penalty: float,
    weights: np.ndarray | None,
    *,
    is_candidate: bool = False,
) -> None:
    """Coefficients (S, d) and intercepts (S,) for the S distinct values of `chosen` in sorted order; `penalty` is scikit-learn's C.

    inputs: (n, d). weights: (n,), None for equal ones.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(chosen)) == 1:
        model.coef_, model.intercept_ = np.zeros((1, inputs.shape[1])), np.zeros(1)
        return
    regression = LogisticRegression(C=penalty, max_iter=REGRESSION_ITERATIONS, random_state=model.random_state)
    centre = inputs.mean(axis=0)  # the same optimum, since intercepts go unpunished, in a third of the iterations
    watch = _watches[-1]() if _watches and not is_candidate else nullcontext()
    with watch, warnings.catch_warnings():  # a candidate that did not converge is taken for what it scores
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(inputs - centre, chosen, sample_weight=weights)
    coef, intercept = regression.coef_, regression.intercept_ - regression.coef_ @ centre
    if len(coef) == 1:  # scikit-learn keeps one row of log odds for two classes
        coef, intercept = np.vstack([np.zeros_like(coef), coef]), np.concatenate([[0.0], intercept])
    model.coef_, model.intercept_ = round_significant(coef), round_significant(intercept)


def _fit_taste(
    model: FittedModel, orders: Orders, weights: np.ndarray | None, trial: FittedModel | None = None
) -> None:
    """From the start, or from what `trial` learned if it knows the same products."""
    rows = thinned(orders.chosen, MAXIMUM_TASTE_ORDERS)
    some, space = orders.take(rows), model.space_
    inputs = taste_inputs(encode_for(some.states, some.contexts, space), space, model.sold_)
    position = np.searchsorted(model.sold_, some.chosen)
    begin = start(inputs, position, model.groups)
    model.draws_ = round_significant(quasi_normal_draws(model.draws, begin.spread.shape[1]), TASTE_DIGITS)
    warm = trial.taste_ if trial is not None and np.array_equal(trial.sold_, model.sold_) else None
    interactions = len(space.vocabulary.business_units) * len(SEASONS)
    iterations = model.iterations if warm is None else model.iterations // 2
    counted = None if weights is None else weights[rows]
    found = fit_taste(inputs, position, begin, model.draws_, iterations, interactions, counted, warm)
    model.taste_ = found.from_vector(round_significant(found.vector(), TASTE_DIGITS))


def _fit_habit(model: FittedModel, orders: Orders) -> None:
    found = fit_habit(orders, model.space_, model.sold_)
    learned = HabitParameters.from_vector(round_significant(found.parameters.vector(), TASTE_DIGITS))
    tables = {field.name: getattr(found.tables, field.name) for field in fields(HabitTables)}
    rounded = {name: round_significant(of) if of.dtype == np.float64 else of for name, of in tables.items()}
    model.habit_ = HabitExpert(learned, HabitTables(**rounded), found.kinds)


def _learn_blend(trial: FittedModel, after: Orders, logits: np.ndarray) -> None:
    """Learns the experts' weights from orders that none of them was fitted on."""
    encoded = encode_for(after.states, after.contexts, trial.space_)
    known = np.isin(after.chosen, trial.sold_)
    logs = [None if trial.taste_ is None else trial.taste_scores(encoded), logits, None]
    if trial.habit_ is not None:
        logs[2] = np.log(trial.habit_shares(encoded, trial.habit_))
    there = [place for place, log in enumerate(logs) if log is not None]
    said = [log_softmax(log[known]) for log in logs if log is not None]
    trial.blend_ = np.zeros(len(logs))
    position = np.searchsorted(trial.sold_, after.chosen[known])
    trial.blend_[there] = learn_blend(said, position, EXPECTED_BLEND[there] / EXPECTED_BLEND[there].sum())


def learn_blend(logs: Sequence[np.ndarray], chosen: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The weights (m,), none negative, under which n later choices are most probable.

    The orders are later than those that the experts were fitted on, so they show how reliable and how certain each expert is.

    Args:
        logs: of each expert the log probabilities (n, S).
        chosen: (n,) positions.
        expected: (m,) the weights before anything is known.
    """
    from scipy.optimize import minimize

    rows = np.arange(len(chosen))
    experts = np.stack(logs)

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        probabilities = pool(weights, logs)
        away = weights - expected
        gained = experts[:, rows, chosen] - (experts * probabilities).sum(axis=2)
        loss = -np.log(probabilities[rows, chosen]).sum() + BLEND_PRIOR_ORDERS * (away**2).sum()
        return float(loss), 2 * BLEND_PRIOR_ORDERS * away - gained.sum(axis=1)

    found = minimize(
        objective,
        expected,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * len(expected),
        options={"maxiter": BLEND_ITERATIONS},
    )
    weights: np.ndarray = found.x
    return weights


def round_significant(values: np.ndarray, digits: int = SIGNIFICANT_DIGITS) -> np.ndarray:
    """`values` rounded to `digits` significant decimal digits."""
    exponent = np.floor(np.log10(np.abs(np.where(values == 0, 1.0, values))))
    scale = 10.0 ** (digits - 1 - exponent)
    rounded: np.ndarray = np.round(values * scale) / scale
    return rounded
