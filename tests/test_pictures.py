"""The documentation's pictures show what there is: each was made of the code as it stands."""

import json

import pytest
from PIL import Image

from tests.documentation import PAGES
from tools.pictures import DOCS, INPUTS, MADE_OF, ROOT, inputs_of


@pytest.mark.parametrize("picture", INPUTS)
def test_a_picture_is_not_older_than_what_it_shows(picture: str) -> None:
    assert json.loads(MADE_OF.read_text())[picture] == inputs_of(picture), (
        f"docs/{picture} shows what is no more, since {' or '.join(INPUTS[picture])} has changed: `make docs`"
    )


@pytest.mark.parametrize("picture", INPUTS)
def test_a_picture_is_small_and_shown_somewhere(picture: str) -> None:
    assert (DOCS / picture).stat().st_size < 150_000
    assert any(f'src="{picture}"' in page.read_text() or f'src="docs/{picture}"' in page.read_text() for page in PAGES)
    if picture.endswith(".png"):
        assert Image.open(DOCS / picture).size[0] >= 390


def test_every_picture_of_the_documentation_is_made_by_the_tools() -> None:
    assert {file.name for kind in ("png", "svg") for file in DOCS.glob(f"*.{kind}")} == set(INPUTS)
    assert all((ROOT / name).is_file() for names in INPUTS.values() for name in names)
