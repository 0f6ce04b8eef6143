"""How long tests wait for what must happen."""

PATIENCE_S = 600.0
"""Far more than anything takes on a machine that is busy with other things: only a fault makes a test wait so long."""
