"""The error codes of AWS that the code distinguishes."""

from typing import Any, Final

BUSY: Final = frozenset(
    {
        *("SlowDown", "InternalError", "RequestTimeout", "RequestTimeTooSkewed"),  # S3
        *("InternalServiceError", "ServiceUnavailable", "Throttling", "ThrottlingException"),
        *("500", "502", "503", "504"),
    }
)
"""The same call may succeed later."""

GONE: Final = frozenset({"NoSuchKey", "NotFound", "404"})
"""S3 has no such object. A HEAD's answer has no body, so its code is the HTTP status."""

CHANGED: Final = frozenset({"PreconditionFailed", "412", "InvalidRange", "416"})
"""The S3 object was replaced, or is shorter than the request says."""

NO_BUCKET: Final = "NoSuchBucket"
ARCHIVED: Final = "InvalidObjectState"


def code_of(error: Any) -> str:
    """The code of a botocore ClientError."""
    return str(error.response.get("Error", {}).get("Code", ""))
