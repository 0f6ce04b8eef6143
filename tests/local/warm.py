"""Imported by the process that commands are forked from: what it has read and learned goes along with each fork.

moto's parser takes ten times as long for its first definition as for the next ones. The forks' garbage collectors
leave what is there now alone.
"""

import gc

from sitejobs_local.aws.moto_patches import parse_definition
from sitejobs_local.places import TEMPLATE
from sitejobs_local.template.template import load_template

for _machine in load_template(TEMPLATE).state_machines.values():
    parse_definition(_machine.definition())

gc.collect()
gc.freeze()
