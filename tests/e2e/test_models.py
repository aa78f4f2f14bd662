"""Models that drop in: added as folders, used by every command."""

from __future__ import annotations

from PIL import Image

from bulkup.embed.two_towers.recipes import RECIPES
from tests.e2e.conftest import Bulkup
from tests.e2e.pictures import photos
from tests.fakes.model_folders import SIGLIP, write_labelling_folder, write_model_folder
from tests.servers.hub import running


def test_a_model_of_a_folder_embeds_and_is_searched(bulkup: Bulkup) -> None:
    write_model_folder(bulkup.directory / "download")
    bulkup("models", "add", "download")
    listed = {model["name"]: model for model in bulkup("models", "--json").json()}
    assert listed["siglip2"]["state"] == "ready"
    photos(bulkup.directory / "photos", 3)
    model = {"BULKUP_EMBED_MODEL": "siglip2"}
    bulkup("push", "photos", "--to", "store", env=model)
    assert len(bulkup("search", "a cat", "--json", env=model).json()) == 3
    assert len(bulkup("search", "--like", "photos/000.jpg", "--json", env=model).json()) == 3
    bulkup("embed")
    assert len(bulkup("search", "a cat", "--json", env=model).json()) == 3, "old vectors stay"
    assert "siglip2" in bulkup("doctor", env=model).stdout
    bulkup("models", "rm", "siglip2")
    ended = bulkup("search", "a cat", env=model, check=2)
    assert 'no embedder "siglip2"' in ended.stderr


def test_a_model_with_labels_is_searched_by_their_words(bulkup: Bulkup) -> None:
    write_labelling_folder(bulkup.directory / "download")
    bulkup("models", "add", "download")
    (bulkup.directory / "photos").mkdir()
    for name, colour in (("1", "#ff2000"), ("2", "#10ff00"), ("3", "#0010ff")):
        Image.new("RGB", (640, 480), colour).save(bulkup.directory / "photos" / f"{name}.jpg")
    model = {"BULKUP_EMBED_MODEL": "scenes"}
    bulkup("push", "photos", "--to", "store", env=model)
    for words, name in (("wall", "1"), ("meadow", "2"), ("hikers", "2"), ("ocean", "3")):
        best = bulkup("search", words, "--json", env=model).json()[0]
        assert best["path"].endswith(f"{name}.jpg"), words
    assert (
        "'hikers' is often beside meadows"
        in bulkup("search", "hikers", "--explain", env=model).stdout
    )
    assert len(bulkup("search", "--like", "photos/1.jpg", "--json", env=model).json()) == 3
    assert "3.1 is there" in bulkup("doctor", env=model).stdout
    write_labelling_folder(bulkup.directory / "download", version="4.0")
    bulkup("models", "add", "download")
    ended = bulkup("search", "wall", env=model, check=2)
    assert "another version of scenes" in ended.stderr


def test_an_unknown_model_is_said_before_any_work(bulkup: Bulkup) -> None:
    photos(bulkup.directory / "photos", 1)
    ended = bulkup("push", "photos", "--to", "store", env={"BULKUP_EMBED_MODEL": "clop"}, check=2)
    assert 'the nearest is "clip"' in ended.stderr
    assert not (bulkup.directory / "store").exists()


def test_actions_name_what_they_need(bulkup: Bulkup) -> None:
    for words in (("models", "add"), ("models", "rm"), ("models", "list", "x")):
        assert "add a folder or a name" in bulkup(*words, check=2).stderr
    assert "no model in nothing" in bulkup("models", "add", "nothing", check=2).stderr


def test_a_known_model_is_downloaded_from_a_mirror(bulkup: Bulkup) -> None:
    folder = write_model_folder(bulkup.directory / "export")
    recipe = RECIPES[SIGLIP["name"]]
    files = {path: (folder / name).read_bytes() for name, path in recipe.files.items()}
    photos(bulkup.directory / "photos", 2)
    with running(str(recipe.repository), files) as hub:
        mirror = {"BULKUP_EMBED_HUB": hub.url, "BULKUP_EMBED_MODEL": "siglip2"}
        hub.cut_after = 2000
        cut = bulkup("models", "add", "siglip2", env=mirror, check=None)
        assert cut.code != 0
        ended = bulkup("models", "add", "siglip2", env=mirror)
    assert "trusted and pinned" in ended.stderr
    bulkup("push", "photos", "--to", "store", env=mirror)
    assert len(bulkup("search", "a cat", "--json", env=mirror).json()) == 2
