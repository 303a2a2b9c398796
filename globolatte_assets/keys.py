"""The asset keys that more than one module names, dbt's stages, the pools that assets share, and the owners. Nothing else."""

import dagster as dg

SALES_TRANSACTIONS = dg.AssetKey(["raw", "sales_transactions"])
CONSERVATION = dg.AssetCheckKey(SALES_TRANSACTIONS, "conservation")
DELIVERED_ONCE = dg.AssetCheckKey(SALES_TRANSACTIONS, "no_day_delivered_twice")
NOTHING_WAITS = dg.AssetCheckKey(SALES_TRANSACTIONS, "nothing_waits_for_a_person")
MISPLACED_FILES = dg.AssetKey(["raw", "misplaced_files"])
BUSINESS_UNITS = dg.AssetKey(["raw", "business_units"])
PRODUCTS = dg.AssetKey(["raw", "products"])
CUSTOMERS = dg.AssetKey(["raw", "customers"])
UNIT_DECLARATIONS = dg.AssetKey(["raw", "unit_declarations"])
EXCHANGE_RATES = dg.AssetKey(["raw", "exchange_rates"])
WEATHER = dg.AssetKey(["raw", "weather"])
HOLIDAYS = dg.AssetKey(["raw", "holidays"])
TRAINING_EXAMPLES = dg.AssetKey(["features", "feat_training_examples"])
TRAINING_EXAMPLE_PRODUCTS = dg.AssetKey(["features", "feat_training_example_products"])
TRAINING_EXAMPLE_REFUNDS = dg.AssetKey(["features", "feat_training_example_refunds"])
CUSTOMER_STATE = dg.AssetKey(["features", "feat_customer_state"])
CUSTOMER_PRODUCT_STATE = dg.AssetKey(["features", "feat_customer_product_state"])
ORDERS = dg.AssetKey(["marts", "fct_orders"])
DAILY_SALES = dg.AssetKey(["intermediate", "int_daily_sales"])
DELIVERED_DAYS = dg.AssetKey(["intermediate", "int_delivered_days"])
BASKET_PAIRS = dg.AssetKey(["intermediate", "int_basket_pairs"])
NEXT_ORDER_PAIRS = dg.AssetKey(["intermediate", "int_next_order_pairs"])
CUSTOMER_RFM = dg.AssetKey(["marts", "mart_customer_rfm"])
DIM_CUSTOMER = dg.AssetKey(["marts", "dim_customer"])
DIM_BUSINESS_UNIT = dg.AssetKey(["marts", "dim_business_unit"])
EXCHANGE_RATES_IN_FORCE = dg.AssetKey(["intermediate", "int_exchange_rates"])
CATALOGUE = dg.AssetKey(["marts", "dim_product"])
MONTHLY_WEATHER = dg.AssetKey(["marts", "mart_monthly_weather"])
TRAINING_SNAPSHOT = dg.AssetKey(["models", "training_snapshot"])
PREFERENCE_MODEL = dg.AssetKey(["models", "preference_model"])
EVALUATION = dg.AssetKey(["models", "evaluation"])
RESPONSIBLE_AI = dg.AssetKey(["models", "responsible_ai"])
BACKTEST = dg.AssetKey(["models", "backtest"])
PROMOTION = dg.AssetKey(["models", "promotion"])
PRODUCT_AFFINITY = dg.AssetKey(["models", "product_affinity"])
SEGMENTS = dg.AssetKey(["models", "segments"])
SERVING_STATE = dg.AssetKey(["endpoints", "serving_state"])
RECOMMENDATIONS = dg.AssetKey(["endpoints", "recommendations"])
CAMPAIGN_AUDIENCES = dg.AssetKey(["endpoints", "campaign_audiences"])
CAMPAIGN_RESULTS = dg.AssetKey(["endpoints", "campaign_results"])
REGIONAL_RECOMMENDATIONS = dg.AssetKey(["endpoints", "regional_recommendations"])
RECOMMENDER = dg.AssetKey(["endpoints", "recommender"])
PREDICTION_LOG = dg.AssetKey(["monitoring", "prediction_log"])
DATA_DRIFT = dg.AssetKey(["monitoring", "data_drift"])
PERFORMANCE = dg.AssetKey(["monitoring", "performance"])
SUPPLIER_WEEKS = dg.AssetKey(["marts", "mart_supplier_weeks"])
SUPPLIER_FAULTS = dg.AssetKey(["marts", "mart_supplier_faults"])
SUPPLIER_SCORECARDS = dg.AssetKey(["monitoring", "supplier_scorecards"])
AUDIT = dg.AssetKey(["lineage", "audit"])
AUDIT_LOG = dg.AssetKey(["lineage", "audit_log"])

DBT_GROUPS = ("staging", "intermediate", "marts", "features")
"""The stages of the dbt project."""

WAREHOUSE_POOL = "warehouse"
"""The pool of everything that uses the warehouse, with a limit of one: only one process at a time can open a DuckDB file."""

OWNER_DATA = "team:data-platform"
OWNER_ANALYTICS = "team:analytics"
OWNER_SCIENCE = "team:data-science"
