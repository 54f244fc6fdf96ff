"""What may go wrong, done on purpose: kills, full disks, damaged and hostile files, crowds. `-s` prints the figures."""
