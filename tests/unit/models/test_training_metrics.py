"""A model's metrics as the UI shows them."""

from globolatte_assets.models.preference_model import metrics_as_metadata


def test_own_metrics_stay_numbers_and_baselines_become_one_table_best_first() -> None:
    shown = metrics_as_metadata(
        {"log_loss": 1.23456, "baseline_log_loss_uniform": 1.79, "baseline_log_loss_customer_favourite": 1.42}
    )
    assert shown["log_loss"].value == 1.2346
    assert str(shown["baselines"].value).splitlines()[2:] == ["| customer favourite | 1.4200 |", "| uniform | 1.7900 |"]
    assert set(shown) == {"log_loss", "baselines"}
