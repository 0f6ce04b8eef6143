"""What all handlers share: logging, tracing, metrics, and errors with names that the state machines know."""

import logging
import os
from collections.abc import Callable

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from sitejobs.aliases import JsonObject
from sitejobs.errors import SitejobsError, Unexpected
from sitejobs.handlers.metrics import timed
from sitejobs.postgres.connection import translated_errors

Handler = Callable[[JsonObject, LambdaContext], JsonObject]

logger = Logger()
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # What the jobs log, in the same form; otherwise Lambda would print it as plain text.
    logging.getLogger("sitejobs").addHandler(logger.registered_handler)
    logging.getLogger("sitejobs").propagate = False


def entry(function: Callable[[JsonObject], JsonObject]) -> Handler:
    """A handler with logging, tracing and metrics, which raises only errors of `sitejobs.errors`."""

    @logger.inject_lambda_context
    @_traced
    def handler(event: JsonObject, context: LambdaContext) -> JsonObject:
        try:
            with timed(context), translated_errors():
                return function(event)
        except SitejobsError as error:
            logger.warning("failed", error=type(error).__name__, detail=str(error))
            raise error from None  # chained errors may quote a row
        except Exception as error:
            text = type(error).__name__ + place_of(error)
            logger.error("failed", error="Unexpected", detail=text)
            raise Unexpected(text).with_traceback(error.__traceback__) from None

    entry: Handler = handler
    return entry


def _traced(handler: Handler) -> Handler:
    """Trace with X-Ray. If that is off, its SDK is not imported: that would take as long as all other imports."""
    if os.environ.get("POWERTOOLS_TRACE_DISABLED", "").lower() in ("1", "true"):
        return handler
    from aws_lambda_powertools import Tracer

    traced: Handler = Tracer().capture_lambda_handler(capture_response=False)(handler)
    return traced


def place_of(error: Exception) -> str:
    """Where an unexpected error arose: a file and a line, never a value."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return ""
    return f" at {os.path.basename(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno}"  # noqa: PTH119
