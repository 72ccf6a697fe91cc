"""Owns the store of one call of the command line: opened when first asked for, closed at the end.

It is a module of its own so that commands which need no store load no SQLAlchemy.
"""

from celsched.cli.context import CliContext
from celsched.errors import SettingsError
from celsched.settings import Settings
from celsched.store import watch_machine
from celsched.store.store import Store, open_store


def store_of(cli: CliContext) -> Store:
    """Return the store of the settings, the same for the whole call; from then on `cli.clock` is the store's clock.

    Raises:
        SettingsError, StoreUnreachable, StoreVersionError, NotPermitted: it cannot be opened.
    """
    return cli.once(_open)


def say_if_idle(cli: CliContext) -> None:
    """Say so where nothing can ever be due: a store that was lost, or is another one, looks like one at peace."""
    store = store_of(cli)
    if not store.read(watch_machine.active_schedules):
        cli.say(f"the store {store.place} has no active schedule: nothing will run, and nothing can be missed")


def require_project(settings: Settings) -> None:
    """Refuse to make a store in a folder that is no project: what looks empty there would look like lost data."""
    known = settings.config_file is not None or settings.origins["database_url"] != "default"
    if not known and settings.origins["data_folder"] == "default" and not settings.data_folder.exists():
        raise SettingsError(
            "there is no celsched.toml here, and no store",
            hint="run in the folder of a project, name it with --config, or make one with `celsched init`",
        )


def _open(cli: CliContext) -> Store:
    settings = cli.settings
    require_project(settings)
    store = open_store(settings.database_url.reveal(), clock_offset_file=settings.clock_offset_file)
    cli.at_exit(store.close)
    if not cli.clock_given:
        cli.clock = store.clock
    return store
