"""EventBridge's event about the end of an execution, made on this machine.

https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from sitejobs.jobs.endings import DETAIL_TYPE
from sitejobs_local.template.cloudformation import ACCOUNT_ID, REGION


def status_change(
    *,
    execution: str,
    machine: str,
    status: str,
    payload: Any,
    started_at: datetime,
    error: str | None = None,
    cause: str | None = None,
) -> dict[str, Any]:
    """The event of an execution (an ARN) of a state machine (an ARN) that ended now in `status`."""
    now = datetime.now(UTC)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": DETAIL_TYPE,
        "source": "aws.states",
        "account": ACCOUNT_ID,
        "time": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [execution],
        "detail": {
            "executionArn": execution,
            "stateMachineArn": machine,
            "name": execution.rpartition(":")[2],
            "status": status,
            "startDate": _milliseconds(started_at),
            "stopDate": _milliseconds(now),
            "input": json.dumps(payload),
            "output": None,
            "inputDetails": {"included": True},
            "outputDetails": None,
            "error": error,
            "cause": cause,
        },
    }


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
