"""Search spaces as Azure writes them: which values a sweep tries, and which trials its policy ends early."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Sampled = dict[str, Any]
SEED = 0


def candidates(space: Mapping[str, Any], algorithm: Mapping[str, Any]) -> Iterator[Sampled]:
    """The trials of a sweep in order; endless unless the algorithm is a grid."""
    if algorithm["samplingAlgorithmType"] == "Grid":
        options = [_options(name, space[name]) for name in space]
        yield from (dict(zip(space, values, strict=True)) for values in itertools.product(*options))
        return
    dice = random.Random(algorithm.get("seed", SEED))
    seen: set[str] = set()
    while True:
        drawn = {name: _drawn(expression, dice) for name, expression in space.items()}
        if _finite(space):
            if len(seen) >= math.prod(len(_options(name, space[name])) for name in space):
                return
            if repr(drawn) in seen:
                continue
            seen.add(repr(drawn))
        yield drawn


def _finite(space: Mapping[str, Any]) -> bool:
    return all(expression[0] == "choice" for expression in space.values())


def _options(name: str, expression: Sequence[Any]) -> Sequence[Any]:
    kind, arguments = expression
    if kind != "choice":
        raise ValueError(f"grid sampling takes choices only; {name} is {kind}")
    found: Sequence[Any] = arguments[0]
    return found


def _drawn(expression: Sequence[Any], dice: random.Random) -> Any:
    kind, arguments = expression
    if kind == "choice":
        return dice.choice(arguments[0])
    if kind == "randint":
        return dice.randrange(int(arguments[0]))
    first, second, *step = arguments
    value = dice.gauss(first, second) if kind.endswith("normal") else dice.uniform(first, second)
    if "log" in kind:
        value = math.exp(value)
    return round(value / step[0]) * step[0] if step else value


def ends_early(
    policy: Mapping[str, Any] | None, own: Sequence[float], others: Sequence[Sequence[float]], *, maximize: bool
) -> bool:
    """Whether a policy ends a trial. `own` and `others`: the primary metric of each trial, one value per interval."""
    if not policy or not own or len(own) <= (policy.get("delayEvaluation") or 0):
        return False
    if len(own) % (policy.get("evaluationInterval") or 1):
        return False
    best = max if maximize else min
    rivals = [best(values[: len(own)]) for values in others if len(values) >= len(own)]
    if not rivals:
        return False
    sign = 1 if maximize else -1
    kind = policy["policyType"]
    if kind == "Bandit":
        return _outside_the_slack(policy, best(own) * sign, best(rivals) * sign)
    if kind == "MedianStopping":
        means = sorted(sign * sum(values[: len(own)]) / len(own) for values in others if len(values) >= len(own))
        return best(own) * sign < means[len(means) // 2]
    percent = policy.get("truncationPercentage") or 0
    ranked = sorted([*(sign * rival for rival in rivals), best(own) * sign])
    return ranked.index(best(own) * sign) < len(ranked) * percent // 100


def _outside_the_slack(policy: Mapping[str, Any], own: float, best: float) -> bool:
    if policy.get("slackAmount"):
        return bool(own < best - policy["slackAmount"])
    factor = 1 + (policy.get("slackFactor") or 0)
    return bool(own < (best / factor if best >= 0 else best * factor))
