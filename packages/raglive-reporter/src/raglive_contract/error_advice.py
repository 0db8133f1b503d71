"""Advice for files that failed or were skipped, by error code."""

from __future__ import annotations

from raglive_contract.errors import ErrorCode

__all__ = ["OUTAGES", "WHAT_TO_DO", "WHILE_WAITING", "what_to_do"]

WHAT_TO_DO: dict[str, str] = {
    ErrorCode.EXTRACTION_ERROR: (
        "Open the file in its own program and save it again; it may be damaged."
    ),
    ErrorCode.EXTRACTION_TIMEOUT: (
        "Split the file; or raise RAGLIVE_EXTRACTION_TIMEOUT_SECONDS, start the pipeline again, "
        "and retry."
    ),
    ErrorCode.EXTRACTION_OUT_OF_MEMORY: (
        "Split the file; or raise RAGLIVE_EXTRACTION_MEMORY_BYTES, start the pipeline again, and "
        "retry."
    ),
    ErrorCode.EXTRACTION_CRASHED: "Open the file in its own program and save it again, then retry.",
    ErrorCode.EXTRACTOR_UNAVAILABLE: (
        "Read in the pipeline's log why the extractor does not start, then retry."
    ),
    ErrorCode.FILE_UNREADABLE: "Let the user that runs the pipeline read the file, then retry.",
    ErrorCode.FILE_CHANGED: (
        "The file was written to at every attempt. Retry when it no longer changes."
    ),
    ErrorCode.FILE_VANISHED: "Nothing, if it was meant to go; otherwise put the file back.",
    ErrorCode.EMBEDDING_REJECTED: (
        "Check EMBEDDING_API_KEY, EMBEDDING_MODEL and EMBEDDING_BASE_URL, start the pipeline "
        "again, and retry."
    ),
    ErrorCode.EMBEDDING_RATE_LIMITED: "Raise the quota at the embedding provider, then retry.",
    ErrorCode.EMBEDDING_UNAVAILABLE: (
        "Check that the provider at EMBEDDING_BASE_URL runs and can be reached, then retry."
    ),
    ErrorCode.EMBEDDING_TIMEOUT: "Ask the embedding provider why it does not answer, then retry.",
    ErrorCode.EMBEDDING_INVALID_RESPONSE: (
        "Check that EMBEDDING_BASE_URL is an OpenAI-compatible address."
    ),
    ErrorCode.EMBEDDING_TEXT_FAILED: (
        "See what is unusual in the file's text, or ask the embedding provider; then retry."
    ),
    ErrorCode.EMBEDDING_INPUT_TOO_LONG: "Choose an embedding model that takes longer inputs.",
    ErrorCode.EMBEDDING_MODEL_CHANGED: (
        "Change the settings that the message names, and start the pipeline again."
    ),
    ErrorCode.EMBEDDING_NOT_CONFIGURED: "Set EMBEDDING_API_KEY, or EMBEDDING_PROVIDER=builtin.",
    ErrorCode.EMBEDDING_QUOTA_SPENT: (
        "Check the provider's plan and billing; then the pipeline resumes."
    ),
    ErrorCode.EMBEDDING_BUDGET_SPENT: (
        "Raise RAGLIVE_EMBEDDING_BUDGET and start the pipeline again, or wait until its day or "
        "month ends."
    ),
    ErrorCode.EMBEDDING_BUDGET_TOO_SMALL: (
        "Raise RAGLIVE_EMBEDDING_BUDGET and start the pipeline again, or split the file."
    ),
    ErrorCode.EXPORT_TOO_LARGE: "Split the document: it is larger than Google exports.",
    ErrorCode.EXPORT_FAILED: (
        "Retry. If it fails again, split the document, or download it in Google Drive to see why."
    ),
    ErrorCode.DOWNLOAD_QUOTA_EXCEEDED: (
        "Nothing: the file was downloaded too often, and Google serves it again within a day. "
        "raglive asks every hour. A copy of the file can be downloaded at once."
    ),
    ErrorCode.TRANSFER_FAILED: (
        "Open the file in Google Drive to see whether it can be downloaded, then retry."
    ),
    ErrorCode.DRIVE_UNAVAILABLE: ("See Google Workspace's status; retry when it has recovered."),
    ErrorCode.DRIVE_RATE_LIMITED: (
        "See in the Google Cloud console which quota of the project is used up, then retry."
    ),
    ErrorCode.DRIVE_FORBIDDEN: (
        "Give the pipeline's Google account the right to read the file; raglive then asks again."
    ),
    ErrorCode.DRIVE_DISABLED: (
        "Ask the administrator of the Google Workspace to allow programs to use Drive; then "
        "raglive continues."
    ),
    ErrorCode.DRIVE_REFUSED: (
        "Search for the reason in the message, which is Google's own; then retry."
    ),
    ErrorCode.DRIVE_NOT_FOUND: "Share the file with the pipeline's Google account.",
    ErrorCode.AUTH_REQUIRED: "Renew the Google credentials, then retry.",
    ErrorCode.WORKER_LOST: (
        "Read in the pipeline's log why its process ended; split the file, or save it again, and "
        "retry."
    ),
    ErrorCode.DATABASE_UNAVAILABLE: (
        "Check that the database runs and has free space, then retry."
    ),
    ErrorCode.DATABASE_REFUSED: "Retry; if it fails again, report it with the pipeline's log.",
    ErrorCode.UNAVAILABLE: "Check that the database runs and has free space, then retry.",
    ErrorCode.INTERNAL_ERROR: "Retry; if it fails again, report it with the pipeline's log.",
    # skipped
    ErrorCode.UNSUPPORTED: (
        "Save it in a supported format, for instance PDF or DOCX, or ignore the file."
    ),
    ErrorCode.ENCRYPTED: "Save the file without a password.",
    ErrorCode.EMPTY: "Nothing: the file is empty. raglive reads it when it has content.",
    ErrorCode.NO_TEXT: "The file has no text; if it is a scan, run text recognition (OCR) over it.",
    ErrorCode.TOO_LARGE: (
        "Split the file; or, if it is the file itself that is too large, raise "
        "RAGLIVE_MAX_FILE_BYTES, start the pipeline again, and retry."
    ),
    ErrorCode.SHORTCUT_TO_FOLDER: (
        "To index the folder, add the id in the message to RAG_WATCH_FOLDER_ID, and start the "
        "pipeline again."
    ),
    ErrorCode.FLAGGED_ABUSIVE: (
        "Google classifies the file as malware; its owner can ask for a review."
    ),
    ErrorCode.NO_DOWNLOAD_RIGHT: "Ask the file's owner to allow downloads.",
}
WHILE_WAITING: dict[str, str] = {
    ErrorCode.EXPORT_FAILED: ("Nothing: raglive retries. If it lasts, split the document."),
    ErrorCode.EXTRACTOR_UNAVAILABLE: (
        "Nothing: raglive retries. If it lasts, read the pipeline's log."
    ),
    ErrorCode.FILE_CHANGED: (
        "Nothing: the file was being written. raglive reads it when it no longer changes."
    ),
    ErrorCode.EMBEDDING_RATE_LIMITED: "Nothing: raglive retries. If it lasts, raise the quota.",
    ErrorCode.EMBEDDING_UNAVAILABLE: (
        "Check that the provider at EMBEDDING_BASE_URL runs and can be reached; raglive retries."
    ),
    ErrorCode.EMBEDDING_TIMEOUT: (
        "Nothing: raglive retries. If it lasts, ask the embedding provider."
    ),
    ErrorCode.TRANSFER_FAILED: (
        "Nothing: raglive retries. If it lasts, open the file in Google Drive."
    ),
    ErrorCode.DRIVE_UNAVAILABLE: (
        "Nothing: raglive retries. If it lasts, see Google Workspace's status."
    ),
    ErrorCode.DRIVE_RATE_LIMITED: (
        "Nothing: raglive retries. If it lasts, see in the Google Cloud console which quota is "
        "used up: units per minute, or bytes per day."
    ),
    ErrorCode.AUTH_REQUIRED: "Renew the Google credentials; then raglive retries.",
    ErrorCode.DATABASE_UNAVAILABLE: (
        "Check that the database runs and has free space; raglive retries."
    ),
    ErrorCode.UNAVAILABLE: "Check that the database runs and has free space; raglive retries.",
}
"""Advice that differs while a file waits for its next attempt."""
OUTAGES = frozenset(
    {
        ErrorCode.AUTH_REQUIRED,
        ErrorCode.DATABASE_UNAVAILABLE,
        ErrorCode.DOWNLOAD_QUOTA_EXCEEDED,
        ErrorCode.DRIVE_DISABLED,
        ErrorCode.DRIVE_RATE_LIMITED,
        ErrorCode.DRIVE_UNAVAILABLE,
        ErrorCode.EMBEDDING_BUDGET_SPENT,
        ErrorCode.EMBEDDING_BUDGET_TOO_SMALL,
        ErrorCode.EMBEDDING_QUOTA_SPENT,
        ErrorCode.EMBEDDING_RATE_LIMITED,
        ErrorCode.EMBEDDING_TIMEOUT,
        ErrorCode.EMBEDDING_UNAVAILABLE,
        ErrorCode.EXTRACTOR_UNAVAILABLE,
        ErrorCode.UNAVAILABLE,
    }
)
"""Codes of outages, which are not the file's fault: attempts continue until the outage ends."""
_UNKNOWN_CODE = "Read the message; the producer of this event defined its code."


def what_to_do(code: str, *, is_waiting: bool = False) -> str:
    """Look up the advice for a code, of a file that failed for good or waits for its next attempt.

    A code of a producer has a general one.
    """
    if is_waiting and code in WHILE_WAITING:
        return WHILE_WAITING[code]
    return WHAT_TO_DO.get(code, _UNKNOWN_CODE)
