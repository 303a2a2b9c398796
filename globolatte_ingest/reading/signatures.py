"""What a file is that is no sales file: office documents, archives, encrypted files, known by their first bytes."""

from globolatte_ingest.reasons import ReasonCode, RefusedError

GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"

EXPORT_AS_CSV = "export the sales as CSV and upload that"
UPLOAD_PLAIN = "upload it unencrypted"

SIGNATURES: tuple[tuple[bytes, ReasonCode, str], ...] = (
    (b"PK\x03\x04", ReasonCode.OFFICE_FILE, f"is an Excel workbook or another zip file; {EXPORT_AS_CSV}"),
    (b"PK\x05\x06", ReasonCode.OFFICE_FILE, f"is an empty zip file; {EXPORT_AS_CSV}"),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        ReasonCode.OFFICE_FILE,
        f"is an old Excel file or a password-protected office file; {EXPORT_AS_CSV}",
    ),
    (b"%PDF", ReasonCode.OFFICE_FILE, f"is a PDF; {EXPORT_AS_CSV}"),
    (b"{\\rtf", ReasonCode.OFFICE_FILE, f"is a text-processor document; {EXPORT_AS_CSV}"),
    (b"-----BEGIN PGP", ReasonCode.ENCRYPTED_FILE, f"is encrypted (PGP); {UPLOAD_PLAIN}"),
    (b"age-encryption.org/", ReasonCode.ENCRYPTED_FILE, f"is encrypted (age); {UPLOAD_PLAIN}"),
    (b"-----BEGIN AGE", ReasonCode.ENCRYPTED_FILE, f"is encrypted (age); {UPLOAD_PLAIN}"),
    (b"Salted__", ReasonCode.ENCRYPTED_FILE, f"is encrypted (openssl); {UPLOAD_PLAIN}"),
    (b"PARE", ReasonCode.ENCRYPTED_FILE, f"is encrypted Parquet; {UPLOAD_PLAIN}"),
    (b"7z\xbc\xaf\x27\x1c", ReasonCode.WRONG_FILE_TYPE, f"is a 7z archive; {EXPORT_AS_CSV}"),
    (b"Rar!\x1a\x07", ReasonCode.WRONG_FILE_TYPE, f"is a rar archive; {EXPORT_AS_CSV}"),
    (b"BZh", ReasonCode.WRONG_FILE_TYPE, "is compressed with bzip2; pack it with gzip as .csv.gz and upload that"),
    (
        b"\xfd7zXZ\x00",
        ReasonCode.WRONG_FILE_TYPE,
        "is compressed with xz; pack it with gzip as .csv.gz and upload that",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        ReasonCode.WRONG_FILE_TYPE,
        "is compressed with zstd; pack it with gzip as .csv.gz and upload that",
    ),
    (b"SQLite format 3\x00", ReasonCode.WRONG_FILE_TYPE, f"is a database file; {EXPORT_AS_CSV}"),
)
"""First bytes, and what they mean. A CSV header of ours starts with none of them."""


def refuse_other_kinds(path: str, start: bytes) -> None:
    """Raises `RefusedError` if a file that starts like this is known to be no file of the kind its name says."""
    for signature, code, message in SIGNATURES:
        if start.startswith(signature):
            raise RefusedError(code, message)
    if start.startswith(PARQUET) and not path.endswith(".parquet"):
        raise RefusedError(
            ReasonCode.WRONG_FILE_TYPE, "is Parquet under another name; name it .parquet and upload it again"
        )
    if start.startswith(GZIP) and not path.endswith(".gz"):
        raise RefusedError(ReasonCode.WRONG_FILE_TYPE, "is packed with gzip; name it .csv.gz and upload it again")
