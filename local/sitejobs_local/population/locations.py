"""Where people say they live: coordinates scattered about a place, a text, both or neither."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sitejobs_local.population.draws import Ints, log_normal, normal, picked, spread
from sitejobs_local.population.model import Column, Kind, integers, objects, texts
from sitejobs_local.population.places import CITIES, PLACES

PRECISIONS = ("EXACT", "NEIGHBORHOOD", "CITY", "REGION")
_KM_PER_DEGREE = 111.195
# Median distance from the centre.
_CITY_RADIUS_KM = 8.0
_RURAL_RADIUS_KM = 14.0
_COMMUTERS_TIMES = 8.0

# Missing or odd locations, in users per thousand. Kind 0 has text and coordinates.
_TWO_PART_TEXT, _LOWER_TEXT, _NO_TEXT, _EMPTY_TEXT = 1, 2, 3, 4
_TEXT_ONLY, _NOTHING, _LAT_ONLY, _LNG_ONLY, _IMPOSSIBLE = 5, 6, 7, 8, 9
_SHARES = (25, 20, 40, 10, 60, 35, 3, 3, 3)


def located(rng: np.random.Generator, place: Ints) -> dict[str, Column]:
    """The location columns of profiles at the given places (indices into PLACES)."""
    size = len(place)
    kind = spread(rng, size, *_SHARES)
    lat, lng = _coordinates(rng, place)
    # 1: told by neighbourhood, 2: the centre of the city for all, 3: rounded to a tenth of a degree.
    precision = spread(rng, size, 150, 150, 30)
    lat, lng = _coarsened(lat, lng, place, precision)
    impossible = kind == _IMPOSSIBLE
    lat[impossible] = 999.0
    nowhere = (kind == _TEXT_ONLY) | (kind == _NOTHING)
    precise = objects(PRECISIONS)[precision]
    precise[nowhere] = None
    accuracy = np.array([15, 800, 10_000, 100_000])[precision]
    return {
        "locationText": texts(_texts(place, kind)),
        "lat": Column(Kind.DOUBLE, lat, ~nowhere & (kind != _LNG_ONLY)),
        "lng": Column(Kind.DOUBLE, lng, ~nowhere & (kind != _LAT_ONLY)),
        "geoPrecision": texts(precise),
        "locationAccuracy": integers(accuracy, ~nowhere & ~picked(rng, size, 150)),
    }


def _coordinates(rng: np.random.Generator, place: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points around each centre: log-normal distances, all directions alike, six decimals."""
    size = len(place)
    radius = np.where(place < len(CITIES), _CITY_RADIUS_KM, _RURAL_RADIUS_KM)
    radius[picked(rng, size, 30)] *= _COMMUTERS_TIMES
    km = log_normal(rng, size) / 1000.0 * radius
    east, north = normal(rng, size), normal(rng, size)
    length = np.sqrt((east * east + north * north).astype(np.float64))
    degrees = km / np.maximum(length, 1.0) / _KM_PER_DEGREE
    # Rounded, so that the last digit of a cosine cannot differ between platforms.
    shrink = np.array([max(round(math.cos(math.radians(p.lat)), 4), 1e-4) for p in PLACES])
    lat = np.clip(np.array([p.lat for p in PLACES])[place] + degrees * north, -90.0, 90.0)
    lng = np.array([p.lng for p in PLACES])[place] + degrees * east / shrink[place]
    return np.round(lat, 6), np.round(np.mod(lng + 180.0, 360.0) - 180.0, 6)


def _coarsened(
    lat: NDArray[np.float64], lng: NDArray[np.float64], place: Ints, precision: Ints
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What is stored at each precision: many people of one city then share one point."""
    centre_lat = np.array([p.lat for p in PLACES])[place]
    centre_lng = np.array([p.lng for p in PLACES])[place]
    lat = np.where(precision == 1, np.round(lat, 2), np.where(precision == 2, centre_lat, lat))
    lng = np.where(precision == 1, np.round(lng, 2), np.where(precision == 2, centre_lng, lng))
    return np.where(precision == 3, np.round(lat, 1), lat), np.where(precision == 3, np.round(lng, 1), lng)


def _texts(place: Ints, kind: Ints) -> NDArray[Any]:
    """A text like "City, State, Country", a shorter or carelessly typed form of it, empty, or null."""
    full = [p.text for p in PLACES]
    two_part = [", ".join(dict.fromkeys((text.split(", ")[0], text.split(", ")[-1]))) for text in full]
    result = objects(full)[place]
    result = np.where(kind == _TWO_PART_TEXT, objects(two_part)[place], result)
    result = np.where(kind == _LOWER_TEXT, objects([text.lower() for text in full])[place], result)
    result[kind == _EMPTY_TEXT] = ""
    result[(kind == _NO_TEXT) | (kind == _NOTHING)] = None
    return result
