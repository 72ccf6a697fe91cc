"""Which time zone data is in force, and where the system's differs from the package's."""

from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from celsched.timing.zone_data import ZoneData, differing, zone_data

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _bytes(key: str) -> bytes:
    return resources.files("tzdata").joinpath("zoneinfo", *key.split("/")).read_bytes()


def _system(folder: Path) -> ZoneData:
    """Make a system's folder where Tehran still has the rules of Berlin."""
    (folder / "Asia").mkdir()
    (folder / "UTC").write_bytes(_bytes("UTC"))
    (folder / "Asia" / "Tehran").write_bytes(_bytes("Europe/Berlin"))
    (folder / "tzdata.zi").write_text("# version 2019c\n# redo posix_only\n")
    return zone_data([str(folder / "absent"), str(folder)])


def test_the_first_folder_that_holds_zones_is_the_systems(tmp_path: Path) -> None:
    found = _system(tmp_path)
    assert (found.system, found.system_edition) == (tmp_path, "2019c")
    assert found.package_edition is not None
    assert found.package_edition[:2] == "20"
    assert not found.package_edition[-1].isdecimal()


def test_zones_whose_rules_differ_are_named_and_others_are_not(tmp_path: Path) -> None:
    data = _system(tmp_path)
    assert differing(["Asia/Tehran", "UTC", "Europe/Nowhere"], data, NOW) == ["Asia/Tehran"]


def test_a_folder_without_an_edition_has_none(tmp_path: Path) -> None:
    (tmp_path / "UTC").write_bytes(_bytes("UTC"))
    assert zone_data([str(tmp_path)]).system_edition is None


def test_without_a_systems_folder_there_is_nothing_to_compare() -> None:
    data = zone_data([])
    assert data.system is None
    assert differing(["UTC"], data, NOW) == []
