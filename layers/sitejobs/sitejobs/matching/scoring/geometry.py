"""Great-circle distances from unit vectors (sphere of R = 6371 km)."""

import numpy as np

from sitejobs.matching.scoring.arrays import Floats

EARTH_RADIUS_KM = 6371.0


def km_of_chord(chord: Floats) -> Floats:
    """Length of the arc over a chord between two unit vectors, in km. Exact 0 for equal vectors."""
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(chord / 2, 1.0))


def km_between(here: Floats, there: Floats) -> Floats:
    """(p, 3) and (p, 3) unit vectors -> (p,) km, NaN where either is NaN."""
    steps = here - there
    x, y, z = np.square(steps, out=steps).T
    return km_of_chord(np.sqrt(x + y + z))


def chord_of_km(km: Floats) -> Floats:
    """The chord of an arc of this length; half the circumference and more give the diameter."""
    return 2 * np.sin(np.minimum(km / (2 * EARTH_RADIUS_KM), np.pi / 2))
