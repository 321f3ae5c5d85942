"""mutt on a mount: open, read, flag, delete, undelete; with its header cache
a second open fetches and reads nothing."""
import muttlike
from harness import main, need


def test_open_and_change(bench):
    need("mutt")
    muttlike.open_and_change(bench, "mutt")


def test_trash(bench):
    need("mutt")
    muttlike.trash_and_untrash(bench, "mutt")


def test_saving_is_refused(bench):
    need("mutt")
    muttlike.copy_to_folder(bench, "mutt")


def test_arrival(bench):
    need("mutt")
    muttlike.arrival(bench, "mutt")


if __name__ == "__main__":
    main(globals())
