"""The world of the synthetic site: cities in order of size, and a few far-off places."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A place and its centre in degrees."""

    text: str
    lat: float
    lng: float


# The n-th city gets a share proportional to 1 / (n + 2).
CITIES = (
    Place("New York, New York, United States", 40.7128, -74.0060),
    Place("London, England, United Kingdom", 51.5074, -0.1278),
    Place("Los Angeles, California, United States", 34.0522, -118.2437),
    Place("São Paulo, São Paulo, Brazil", -23.5505, -46.6333),
    Place("Chicago, Illinois, United States", 41.8781, -87.6298),
    Place("Toronto, Ontario, Canada", 43.6532, -79.3832),
    Place("Paris, Île-de-France, France", 48.8566, 2.3522),
    Place("Berlin, Berlin, Germany", 52.5200, 13.4050),
    Place("Tokyo, Tokyo, Japan", 35.6762, 139.6503),
    Place("Mumbai, Maharashtra, India", 19.0760, 72.8777),
    Place("Sydney, New South Wales, Australia", -33.8688, 151.2093),
    Place("Mexico City, CDMX, Mexico", 19.4326, -99.1332),
    Place("Houston, Texas, United States", 29.7604, -95.3698),
    Place("Madrid, Community of Madrid, Spain", 40.4168, -3.7038),
    Place("Istanbul, Istanbul, Türkiye", 41.0082, 28.9784),
    Place("San Francisco, California, United States", 37.7749, -122.4194),
    Place("Seoul, Seoul, South Korea", 37.5665, 126.9780),
    Place("Amsterdam, North Holland, Netherlands", 52.3676, 4.9041),
    Place("Melbourne, Victoria, Australia", -37.8136, 144.9631),
    Place("Lagos, Lagos State, Nigeria", 6.5244, 3.3792),
    Place("Buenos Aires, CABA, Argentina", -34.6037, -58.3816),
    Place("Seattle, Washington, United States", 47.6062, -122.3321),
    Place("Barcelona, Catalonia, Spain", 41.3874, 2.1686),
    Place("Manila, Metro Manila, Philippines", 14.5995, 120.9842),
    Place("Rome, Lazio, Italy", 41.9028, 12.4964),
    Place("Cairo, Cairo Governorate, Egypt", 30.0444, 31.2357),
    Place("Boston, Massachusetts, United States", 42.3601, -71.0589),
    Place("Delhi, Delhi, India", 28.7041, 77.1025),
    Place("Stockholm, Stockholm County, Sweden", 59.3293, 18.0686),
    Place("Vancouver, British Columbia, Canada", 49.2827, -123.1207),
    Place("Singapore, Singapore", 1.3521, 103.8198),
    Place("Manchester, England, United Kingdom", 53.4808, -2.2426),
    Place("Denver, Colorado, United States", 39.7392, -104.9903),
    Place("Warsaw, Mazovia, Poland", 52.2297, 21.0122),
    Place("Nairobi, Nairobi County, Kenya", -1.2921, 36.8219),
    Place("Lisbon, Lisbon District, Portugal", 38.7223, -9.1393),
    Place("Atlanta, Georgia, United States", 33.7490, -84.3880),
    Place("Johannesburg, Gauteng, South Africa", -26.2041, 28.0473),
    Place("Vienna, Vienna, Austria", 48.2082, 16.3738),
    Place("Bogotá, Bogotá D.C., Colombia", 4.7110, -74.0721),
    Place("Dublin, Leinster, Ireland", 53.3498, -6.2603),
    Place("Kyiv, Kyiv City, Ukraine", 50.4501, 30.5234),
    Place("Austin, Texas, United States", 30.2672, -97.7431),
    Place("Lima, Lima Province, Peru", -12.0464, -77.0428),
    Place("Copenhagen, Capital Region, Denmark", 55.6761, 12.5683),
    Place("Athens, Attica, Greece", 37.9838, 23.7275),
    Place("Osaka, Osaka Prefecture, Japan", 34.6937, 135.5023),
    Place("Montreal, Quebec, Canada", 45.5017, -73.5673),
    Place("Tel Aviv, Tel Aviv District, Israel", 32.0853, 34.7818),
    Place("Santiago, Santiago Metropolitan, Chile", -33.4489, -70.6693),
    Place("Prague, Prague, Czechia", 50.0755, 14.4378),
    Place("Bangkok, Bangkok, Thailand", 13.7563, 100.5018),
    Place("Auckland, Auckland Region, New Zealand", -36.8509, 174.7645),
    Place("Helsinki, Uusimaa, Finland", 60.1699, 24.9384),
    Place("Accra, Greater Accra, Ghana", 5.6037, -0.1870),
    Place("Beirut, Beirut Governorate, Lebanon", 33.8938, 35.5018),
    Place("Honolulu, Hawaii, United States", 21.3069, -157.8583),
    Place("Reykjavík, Capital Region, Iceland", 64.1466, -21.9426),
    Place("Suva, Central Division, Fiji", -18.1248, 178.4501),
    Place("Québec, Capitale-Nationale, Québec, Canada", 46.8139, -71.2080),
)

# Villages and islands, some across the antimeridian or near the poles. Two end on a name with four parts: a longer
# tail belongs to the country.
RURAL = (
    Place("Somosomo, Taveuni, Northern Division, Fiji", -16.7700, 179.9700),
    Place("Waitangi, Chatham Islands, New Zealand", -43.9535, -176.5597),
    Place("Longyearbyen, Svalbard, Norway", 78.2232, 15.6267),
    Place("McMurdo Station, Ross Island, Antarctica", -77.8419, 166.6863),
    Place("Amundsen-Scott, South Pole, Antarctica", -89.9900, 0.0000),
    Place("Stanley, East Falkland, Falkland Islands", -51.6977, -57.8517),
    Place("Utqiagvik, Alaska, United States", 71.2906, -156.7886),
    Place("Marfa, Texas, United States", 30.3095, -104.0206),
    Place("Moab, Utah, United States", 38.5733, -109.5498),
    Place("Cushendall, Northern Ireland, United Kingdom", 55.0802, -6.0589),
    Place("Conques, Occitania, France", 44.5994, 2.3976),
    Place("Alice Springs, Northern Territory, Australia", -23.6980, 133.8807),
    Place("Alert Bay, British Columbia, Canada", 50.5867, -126.9320),
    Place("Nuuk, Sermersooq, Greenland", 64.1814, -51.6941),
    Place("Ushuaia, Tierra del Fuego, Argentina", -54.8019, -68.3030),
    Place("Leh, Ladakh, India", 34.1526, 77.5771),
)

PLACES = CITIES + RURAL
RURAL_PER_MILLE = 60


def weights() -> list[int]:
    """The relative number of users at each of `PLACES`."""
    cities = [10_000_000 // (rank + 3) for rank in range(len(CITIES))]
    rural = sum(cities) * RURAL_PER_MILLE // (1000 - RURAL_PER_MILLE) // len(RURAL)
    return cities + [rural] * len(RURAL)
