"""Imported by the process that commands are forked from: moto's parser learns with its first definitions.

The first one takes it ten times as long as the next ones; what it has learned goes along with each fork.
"""

from sitejobs_local.aws.moto_patches import parse_definition
from sitejobs_local.places import REPOSITORY

for _file in (REPOSITORY / "statemachines").glob("*.asl.json"):
    parse_definition(_file.read_text())
