"""Why a file is refused or held, and why a row is quarantined: the stored codes, each once, and the error that refuses a file."""

from enum import StrEnum


class ReasonCode(StrEnum):
    """Why a file version is refused or held, as `sales_data.load_ledger.reason_code` has it."""

    EMPTY_FILE = "empty_file"
    TOO_LARGE = "too_large"
    NOT_TEXT = "not_text"
    OFFICE_FILE = "office_file"
    ENCRYPTED_FILE = "encrypted_file"
    WRONG_FILE_TYPE = "wrong_file_type"
    DAMAGED_GZIP = "damaged_gzip"
    DECOMPRESSION_BOMB = "decompression_bomb"
    DAMAGED_PARQUET = "damaged_parquet"
    NO_PLAIN_VALUES = "no_plain_values"
    MISSING_HEADER = "missing_header"
    MISSING_COLUMN = "missing_column"
    REPEATED_COLUMN = "repeated_column"
    UNCLOSED_QUOTE = "unclosed_quote"
    UNREADABLE_CSV = "unreadable_csv"
    BAD_REFERENCE_DATA = "bad_reference_data"
    MISPLACED = "misplaced"
    """The path, not the content, is at fault."""
    TOO_MANY_BAD_ROWS = "too_many_bad_rows"
    TAKES_AWAY_TOO_MUCH = "takes_away_too_much"
    ANOTHER_UNIT = "another_unit"
    OTHER_DATES = "other_dates"
    """A path that tells no date has the next delivery, in place of a correction of what is loaded from it."""


HOLDS = (
    ReasonCode.TOO_MANY_BAD_ROWS,
    ReasonCode.TAKES_AWAY_TOO_MUCH,
    ReasonCode.ANOTHER_UNIT,
    ReasonCode.OTHER_DATES,
)
"""The reasons that hold a file until someone approves it; every other one refuses it."""


class RowReason(StrEnum):
    """Why a row is quarantined, as `sales_data.quarantine.reason` has it."""

    WRONG_FIELD_COUNT = "wrong_field_count"
    UNPARSEABLE_ROW = "unparseable_row"
    EMPTY_KEY = "empty_key"
    LOST_ID = "lost_id"
    BAD_NUMBER = "bad_number"
    BAD_DISCOUNT = "bad_discount"
    BAD_WEIGHT = "bad_weight"
    BAD_KIND = "bad_kind"
    REFUND_NOT_NEGATIVE = "refund_not_negative"
    SALE_NOT_POSITIVE = "sale_not_positive"
    NON_POSITIVE_QUANTITY = "non_positive_quantity"
    BAD_DATE = "bad_date"
    BAD_REFUNDED_DATE = "bad_refunded_date"
    DATE_NOT_OF_FOLDER = "date_not_of_folder"
    DATE_OUT_OF_RANGE = "date_out_of_range"
    UNKNOWN_BUSINESS_UNIT = "unknown_business_unit"
    UNKNOWN_PRODUCT = "unknown_product"
    UNKNOWN_WEATHER = "unknown_weather"
    BAD_CURRENCY = "bad_currency"
    DUPLICATE_IN_FILE = "duplicate_in_file"
    DUPLICATE_ACROSS_FILES = "duplicate_across_files"
    CONFLICT_IN_FILE = "conflict_in_file"
    CONFLICT_ACROSS_FILES = "conflict_across_files"
    ORDER_OF_SEVERAL_CUSTOMERS = "order_of_several_customers"


class RefusedError(Exception):
    """The whole file cannot be loaded. The message says what is wrong and what to do; `code` says it to programs."""

    def __init__(self, code: ReasonCode, message: str) -> None:
        super().__init__(message)
        self.code = code
