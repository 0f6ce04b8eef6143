"""A machine for tests, with the fixture's template, and what it told."""

from pathlib import Path
from typing import Any

from sitejobs_local.aws.invocations import Event
from sitejobs_local.aws.machine import Execution, LocalMachine
from tests.limits import PATIENCE_S

FIXTURE = Path(__file__).parent / "fixtures" / "machine"


class Watched:
    """A machine and what it told."""

    def __init__(self, folder: Path, template: Path = FIXTURE / "template.yaml", **settings: Any) -> None:
        self.events: list[Event] = []
        self.log = folder / "machine.log"
        self.machine = LocalMachine(
            template,
            database_url="postgresql://local",
            log_file=self.log,
            on_event=self.events.append,
            parameters={"Needed": "given"},
            **settings,
        )

    def run(self, payload: dict[str, Any], name: str = "toy-pages") -> Execution:
        self.events.clear()
        return self.machine.run(name, payload, timeout=PATIENCE_S)

    def calls(self, function: str) -> list[Event]:
        return [event for event in self.events if (event.kind, event.function) == ("finished", function)]

    def recorded(self) -> list[Any]:
        return [result for call in self.calls("RecordFunction") for result in call.event["results"]]
