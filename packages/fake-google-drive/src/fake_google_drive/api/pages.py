"""Pages and redirects that come instead of an answer of the Drive API."""

from __future__ import annotations

from starlette.responses import Response

from fake_google_drive.faults import Fault, FaultKind

__all__ = ["instead_of"]

_PAGES = {
    FaultKind.AUTOMATED_QUERIES: (403, "Sorry... Your network may be sending automated queries."),
    FaultKind.SIGN_IN_PAGE: (200, "Sign in - Google Accounts"),
    FaultKind.VIRUS_SCAN_PAGE: (200, "Google Drive can't scan this file for viruses."),
    FaultKind.CAPTCHA_PAGE: (200, "Our systems have detected unusual traffic."),
    FaultKind.MISLABELLED_PAGE: (200, "Log in to this network"),
}
_REDIRECTS = {
    FaultKind.REDIRECT_ELSEWHERE: "https://elsewhere.invalid/",
    FaultKind.REDIRECT_TO_SIGN_IN: "https://accounts.google.com/ServiceLogin",
}


def instead_of(response: Response, fault: Fault | None) -> Response:
    """Return the page or redirect of the fault, or the response if it has none."""
    if fault is None:
        return response
    if fault.kind in _REDIRECTS:
        return Response(status_code=302, headers={"Location": _REDIRECTS[fault.kind]})
    if fault.kind not in _PAGES:
        return response
    status, text = _PAGES[fault.kind]
    is_mislabelled = fault.kind is FaultKind.MISLABELLED_PAGE
    body = f"<!DOCTYPE html><html><title>{text}</title><body>{text}</body></html>"
    return Response(body, status, media_type=response.media_type if is_mislabelled else "text/html")
