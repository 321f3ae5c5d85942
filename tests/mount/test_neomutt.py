"""neomutt on a mount: open, read, flag, delete, undelete; with its header cache
a second open fetches and reads nothing."""
import muttlike
from harness import main, need


def test_open_and_change(bench):
    need("neomutt")
    muttlike.open_and_change(bench, "neomutt")


def test_trash(bench):
    need("neomutt")
    muttlike.trash_and_untrash(bench, "neomutt")


def test_saving_is_refused(bench):
    need("neomutt")
    muttlike.copy_to_folder(bench, "neomutt")


def test_arrival(bench):
    need("neomutt")
    muttlike.arrival(bench, "neomutt")


if __name__ == "__main__":
    main(globals())
