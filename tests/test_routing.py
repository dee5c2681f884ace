"""A place in words finds its division: the finest that the text names, never a namesake elsewhere."""

import pytest

from hub.policies.services import Services

PLACES = [
    ("重庆市渝北区某路1号", "500112"),
    ("渝北区某路1号", "500112"),
    ("重庆市江北区观音桥", "500105"),
    ("浙江省宁波市江北区", "330205"),
    ("宁波市江北区", "330205"),
    ("江北区", ""),
    ("北京市朝阳区某小区", "110105"),
    ("吉林省长春市朝阳区某小区", "220104"),
    ("四川省成都市武侯区", "510107"),
    ("四川省武侯区", "510107"),
    ("四川省成都市某处", "5101"),
    ("四川省某处", "51"),
    ("重庆市", "50"),
    ("在家里", ""),
    ("", ""),
]


@pytest.mark.parametrize(("place", "region"), PLACES)
def test_places(services: Services, place: str, region: str) -> None:
    assert services.directory.locate(place) == (region and region.ljust(12, "0"))
