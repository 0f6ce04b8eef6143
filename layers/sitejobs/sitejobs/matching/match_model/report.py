"""What a run of match-model or match-quality came to, for its row and for a person."""

import json

from sitejobs.aliases import JsonObject
from sitejobs.errors import DataUnavailable
from sitejobs.jobs.job import Resources, Run
from sitejobs.matching.match_model.quality_run import Quality
from sitejobs.matching.snapshot.file import read_whole
from sitejobs.matching.snapshot.work_files import put

NOTHING_TOLD = "too few decisions between people with profiles to learn from: v1 goes on"


def keep(resources: Resources, run: Run, quality: Quality, model_id: int | None = None) -> None:
    """Put what came out where the run's last Plan finds it."""
    told = {"figures": quality.figures, "active": quality.active, "reasons": quality.reasons, "model": model_id}
    with put(resources.work, _key(run)) as path:
        path.write_text(json.dumps(told))


def of_run(resources: Resources, run: Run) -> tuple[JsonObject, str | None]:
    """What the run's row keeps, and the sentence that says it."""
    try:
        found: JsonObject = json.loads(read_whole(resources.work, _key(run)))
    except DataUnavailable:
        return {}, NOTHING_TOLD
    what = "a model" if found["model"] is None else f"model {found['model']}"
    may = "may be active" if found["model"] is None else "is active"
    verdict = may if found["active"] else f"stays a candidate: {'; '.join(found['reasons'])}"
    return {"quality": found}, f"{what} {verdict}"


def _key(run: Run) -> str:
    return f"snapshots/{run.job}-{run.id}.quality"
