"""Why a file is refused as a whole: machine-readable codes, and the exception that carries one. No reading is done here."""

from enum import StrEnum


class Refusal(StrEnum):
    """What is wrong with a file that cannot be trusted as a whole, as the ledger's `reason_code` has it."""

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


HELD = "too_many_bad_rows"
"""The `reason_code` of a file that is held until someone approves it."""


class RefusedError(Exception):
    """The whole file cannot be loaded. The message says what is wrong and what to do; `code` says it to programs."""

    def __init__(self, code: Refusal, message: str) -> None:
        super().__init__(message)
        self.code = code
