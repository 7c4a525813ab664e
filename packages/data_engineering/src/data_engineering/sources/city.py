"""The city that the generator drives in: where zones lie and how much they are asked for.

Rough figures of our own: miles east and north of Times Square, and shares of pickups in per mille
for green and yellow cabs, for the zones that carry most of the demand. The other zones are spread
over their borough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_engineering.trips.zones import BOROUGH_OF

Floats = NDArray[np.float64]

ZONES = 263

# zone: (miles east, miles north, green, yellow)
_HUBS: dict[int, tuple[float, float, float, float]] = {
    1: (-9.9, -4.7, 0, 0.2), 7: (3.4, 0.3, 27, 3), 13: (-1.6, -3.2, 0, 8),
    24: (1.0, 3.0, 7, 3), 25: (-0.1, -4.9, 6, 1), 33: (-0.5, -4.3, 9, 1),
    41: (1.8, 3.2, 46, 3), 42: (2.3, 4.2, 21, 2), 43: (1.0, 1.7, 49, 12),
    48: (-0.3, 0.3, 0, 24), 49: (1.1, -4.7, 3, 1), 50: (-0.5, 0.6, 0, 10),
    61: (2.2, -5.7, 2, 1), 65: (0.0, -4.4, 29, 2), 66: (0.0, -3.8, 11, 1),
    68: (-0.8, -0.7, 0, 28), 74: (2.5, 3.0, 215, 4), 75: (2.1, 2.2, 150, 6),
    79: (0.0, -2.1, 0, 27), 80: (2.6, -3.0, 3, 1), 82: (5.5, -1.3, 46, 1),
    83: (5.0, -1.8, 9, 0.5), 87: (-1.3, -3.4, 0, 8), 88: (-1.2, -3.7, 0, 4),
    90: (-0.6, -1.1, 0, 18), 92: (8.3, 0.2, 7, 0.5), 95: (7.3, -2.5, 52, 0.5),
    97: (0.5, -4.7, 34, 1), 100: (-0.2, -0.3, 0, 15), 107: (0.1, -1.5, 0, 22),
    112: (2.0, -2.1, 2, 1), 113: (-0.5, -1.8, 0, 16), 114: (-0.7, -2.0, 0, 15),
    116: (1.9, 4.7, 8, 2), 129: (5.2, 0.0, 25, 1), 130: (9.9, -3.8, 24, 1),
    132: (10.4, -7.7, 1, 42), 134: (8.1, -3.4, 11, 0.3), 137: (0.4, -1.2, 0, 12),
    138: (5.8, 1.1, 1, 28), 140: (1.6, 0.5, 0, 19), 141: (1.3, 0.6, 0, 22),
    142: (0.2, 0.9, 0, 26), 143: (-0.1, 1.2, 0, 12), 144: (-0.6, -2.6, 0, 13),
    145: (1.8, -1.1, 4, 1), 148: (-0.3, -2.7, 0, 10), 151: (0.9, 2.8, 1, 6),
    152: (1.6, 4.1, 5, 1), 158: (-1.1, -1.3, 0, 10), 161: (0.4, 0.0, 0, 44),
    162: (0.7, -0.1, 0, 29), 163: (0.4, 0.5, 0, 27), 164: (0.0, -0.7, 0, 22),
    166: (1.3, 3.5, 47, 4), 170: (0.4, -0.7, 0, 25), 179: (3.0, 0.9, 3, 0.5),
    181: (0.3, -6.0, 4, 1), 186: (-0.4, -0.6, 0, 31), 193: (2.3, 0.0, 7, 0.5),
    196: (6.4, -2.1, 6, 0.3), 211: (-0.9, -2.4, 0, 10), 223: (4.2, 1.1, 7, 0.5),
    226: (3.3, -1.2, 4, 1), 229: (1.1, -0.1, 0, 16), 230: (0.0, 0.0, 0, 29),
    231: (-1.2, -2.8, 0, 12), 233: (0.8, -0.5, 0, 12), 234: (-0.3, -1.3, 0, 30),
    236: (1.5, 1.5, 6, 50), 237: (1.0, 0.8, 1, 46), 238: (0.6, 2.3, 1, 17),
    239: (0.3, 1.8, 1, 27), 244: (2.3, 5.8, 23, 1), 246: (-1.0, -0.4, 0, 18),
    249: (-0.9, -1.6, 0, 26), 255: (1.5, -2.7, 2, 2), 256: (1.3, -3.2, 2, 1),
    260: (4.3, -0.8, 17, 0.5), 261: (-1.4, -3.3, 0, 6), 262: (2.0, 1.2, 0, 13),
    263: (1.8, 1.4, 1, 19),
}  # fmt: skip

# borough: middle (miles east, north), half width and half height in miles
_AREAS = {
    "EWR": (-9.9, -4.7, 0.1, 0.1),
    "Bronx": (5.0, 6.5, 3.5, 3.0),
    "Brooklyn": (2.0, -8.0, 3.5, 4.0),
    "Manhattan": (0.8, 1.0, 1.2, 5.5),
    "Queens": (8.5, -2.0, 5.0, 5.0),
    "Staten Island": (-8.0, -12.0, 4.0, 4.0),
}
_ELSEWHERE = 0.6  # per mille of pickups in a zone that is no hub
_GOLDEN = np.pi * (3 - 5**0.5)
_DETOUR = 1.3  # streets against a straight line
_WITHIN = 0.75  # miles of a trip that stays in its zone


@dataclass(frozen=True)
class City:
    """Arrays by zone, index 0 is zone 1.

    `pickups` (263) are probabilities, `dropoffs` (263, 263) probabilities given the pickup zone,
    `miles` (263, 263) what a trip between two zones typically measures, `busy` (263, 263) is 1
    where the trip runs in Manhattan's dense part and 0 far from it.
    """

    pickups: Floats
    dropoffs: Floats
    miles: Floats
    busy: Floats


def city(cab: str) -> City:
    """Return the city as green or yellow cabs use it."""
    places = _places()
    column = 2 if cab == "green" else 3
    pickups = np.array([_HUBS[z][column] if z in _HUBS else _ELSEWHERE for z in _numbers()])
    pickups = np.maximum(pickups, 0.02)
    straight = np.hypot(*(places[:, None, :] - places[None, :, :]).transpose(2, 0, 1))
    miles = _WITHIN + _DETOUR * straight
    # People go where others come from, mostly near by, now and then far.
    pull = 4 + 0.3 * pickups + np.array([_HUBS[z][3] if z in _HUBS else 0.0 for z in _numbers()])
    near = np.exp(-straight / 0.9) + 0.035 * np.exp(-straight / 4.0)
    dropoffs = pull[None, :] * near
    middle = np.hypot(places[:, 0] - 0.3, (places[:, 1] + 0.3) / 2.5)
    centre = np.exp(-middle / 1.5)
    return City(
        pickups=pickups / pickups.sum(),
        dropoffs=dropoffs / dropoffs.sum(axis=1, keepdims=True),
        miles=miles,
        busy=(centre[:, None] + centre[None, :]) / 2,
    )


def _numbers() -> range:
    return range(1, ZONES + 1)


def _places() -> Floats:
    """Return (263, 2): each zone's place in miles east and north of Times Square."""
    places = np.zeros((ZONES, 2))
    for borough, (east, north, width, height) in _AREAS.items():
        zones = [zone for zone, name in BOROUGH_OF.items() if name == borough]
        turn = np.arange(len(zones)) * _GOLDEN
        far = np.sqrt((np.arange(len(zones)) + 0.5) / len(zones))
        for zone, angle, radius in zip(zones, turn, far, strict=True):
            places[zone - 1] = (
                east + width * radius * np.cos(angle),
                north + height * radius * np.sin(angle),
            )
    for zone, (east, north, _, _) in _HUBS.items():
        places[zone - 1] = east, north
    return places
