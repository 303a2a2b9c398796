"""The data science of GloboLatte: which product a customer is likely to choose next, learned from a snapshot of orders.

    data/        what orders and customers are, and the files that they are read from
    model/       the preference model: features, fitting, predicting, its files
    training/    a training job: evaluation, proofs, promotion, AutoML, backtests
    scoring/     answering with a model: single requests, batches, the endpoint's service and its prediction log
    explain/     responsible AI
    monitoring/  drift and performance, window by window
    rollout/     what a challenger has shown, and the step that follows
    segments/, affinity/, campaigns/

The modules at the top level are started or loaded by name, on this machine and on Azure ML, so their names must not change: `train`,
`azureml_job`, `pipeline_steps`, `automl_table`, `automl_search`, `score`, `batch_score`, `mlflow_loader`, `rai_inputs`. The package has no
Dagster assets, cloud clients or warehouse, because it also runs on training compute and inside endpoints. Scoring imports only numpy and
pyarrow, and this file imports nothing. mlflow, scikit-learn, scipy, onnx, matplotlib and evidently are imported where they are used.
"""
