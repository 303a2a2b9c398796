"""How a new model gets to serve: evidence, and the steps that it allows.

    evidence       what a metric says of a challenger, the rules (margins, errors) by which it says it
    paired_loss    log loss of both models on the same orders
    rates          shares of errors, invalid answers and slow answers
    sample_ratio   whether customers were split as declared
    assignment     which customers the challenger answers
    steps          the next step of a rollout

Pure functions over arrays and frozen records. Carrying a step out, and keeping the state of a rollout, belongs to assets and sensors.
"""
