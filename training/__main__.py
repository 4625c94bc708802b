"""`python -m training`: its commands are in `training.commands`, which takes some seconds to load."""

import signal

HEARS = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not in the background of a script
if HEARS:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while PyTorch loads ends it without a traceback

from training.commands import main  # noqa: E402

if __name__ == "__main__":
    if HEARS:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
