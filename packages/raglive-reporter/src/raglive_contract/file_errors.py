"""What somebody can do about a file that failed or was skipped, by the code of its error."""

from __future__ import annotations

__all__ = ["OUTAGES", "WHAT_TO_DO", "what_to_do"]

WHAT_TO_DO: dict[str, str] = {
    # failed
    "extraction_error": "Open the file in its own program and save it again; it may be damaged.",
    "extraction_timeout": (
        "Split the file; or raise RAGLIVE_EXTRACTION_TIMEOUT_SECONDS, start the pipeline again, "
        "and retry."
    ),
    "extraction_out_of_memory": (
        "Split the file; or raise RAGLIVE_EXTRACTION_MEMORY_BYTES, start the pipeline again, and "
        "retry."
    ),
    "extraction_crashed": "Open the file in its own program and save it again, then retry.",
    "extractor_unavailable": "Nothing: it is tried again. If it lasts, read the pipeline's log.",
    "file_unreadable": "Let the user that runs the pipeline read the file, then retry.",
    "file_changed": "Nothing: the file was being written, and is tried again when it is quiet.",
    "file_vanished": "Nothing, if it was meant to go; otherwise put the file back.",
    "embedding_rejected": (
        "Check EMBEDDING_API_KEY, EMBEDDING_MODEL and EMBEDDING_BASE_URL, start the pipeline "
        "again, and retry."
    ),
    "embedding_rate_limited": "Nothing: it is tried again. If it lasts, raise the quota.",
    "embedding_unavailable": (
        "Check that the provider at EMBEDDING_BASE_URL runs and can be reached; it is tried again."
    ),
    "embedding_timeout": "Nothing: it is tried again. If it lasts, ask the embedding provider.",
    "embedding_invalid_response": "Check that EMBEDDING_BASE_URL is an OpenAI-compatible address.",
    "embedding_text_failed": (
        "See what is unusual in the file's text, or ask the embedding provider; then retry."
    ),
    "embedding_input_too_long": "Choose an embedding model that takes longer inputs.",
    "embedding_model_changed": (
        "Change the settings that the message names, and start the pipeline again."
    ),
    "embedding_not_configured": "Set EMBEDDING_API_KEY, or EMBEDDING_PROVIDER=builtin.",
    "embedding_quota_spent": "See to the provider's plan and billing; then it goes on by itself.",
    "embedding_budget_spent": (
        "Raise RAGLIVE_EMBEDDING_BUDGET and start the pipeline again, or wait until its day or "
        "month ends."
    ),
    "embedding_budget_too_small": (
        "Raise RAGLIVE_EMBEDDING_BUDGET and start the pipeline again, or split the file."
    ),
    "export_too_large": "Split the document: Google exports none that is as large.",
    "flagged_abusive": "Google holds the file for malware; its owner can ask for a review.",
    "transfer_failed": "Nothing: it is tried again. If it lasts, open the file in Google Drive.",
    "drive_unavailable": "Nothing: it is tried again. If it lasts, see Google Workspace's status.",
    "drive_rate_limited": "Nothing: it is tried again. If it lasts, raise the project's quota.",
    "drive_forbidden": "Give the pipeline's Google account the right to read the file.",
    "drive_not_found": "Share the file with the pipeline's Google account.",
    "auth_required": "Renew the Google credentials; then it is tried again by itself.",
    "worker_lost": (
        "Read in the pipeline's log what ended it; split the file, or save it again, and retry."
    ),
    "database_unavailable": "Check that the database runs and has room; it is tried again.",
    "database_refused": "Retry; if it fails again, report it with the pipeline's log.",
    "unavailable": "Check that the database runs and has room; it is tried again.",
    "internal_error": "Retry; if it fails again, report it with the pipeline's log.",
    # skipped
    "unsupported": "Save it in a supported format, for instance PDF or DOCX, or ignore the file.",
    "encrypted": "Save the file without a password.",
    "empty": "Nothing: the file is empty. It is read as soon as something is in it.",
    "no_text": "The file has no text; if it is a scan, run text recognition (OCR) over it.",
    "too_large": (
        "Split the file; or, if it is the file itself that is too large, raise "
        "RAGLIVE_MAX_FILE_BYTES, start the pipeline again, and retry."
    ),
    "no_download_right": "Ask the file's owner to allow downloads.",
}
OUTAGES = frozenset(
    {
        "auth_required",
        "database_unavailable",
        "drive_rate_limited",
        "drive_unavailable",
        "embedding_budget_spent",
        "embedding_budget_too_small",
        "embedding_quota_spent",
        "embedding_rate_limited",
        "embedding_timeout",
        "embedding_unavailable",
        "extractor_unavailable",
        "unavailable",
    }
)
"""Codes of what lies with the surroundings and not with the file: it is tried until they pass."""
_OTHERWISE = "Read the message; the producer of this event defined its code."


def what_to_do(code: str) -> str:
    """Return the advice for an error code or a skip code."""
    return WHAT_TO_DO.get(code, _OTHERWISE)
