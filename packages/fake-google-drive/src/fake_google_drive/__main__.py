"""`python -m fake_google_drive` is the command `fake-google-drive`."""

from fake_google_drive.cli import main

main()
