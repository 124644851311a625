"""Hard failures, tried on purpose: bad configurations, kill -9, full disks, damaged files, two runs in one folder.

`make hard`, or one part: `python -m tests.hard kills --kills 10`. Not part of `make test`: it takes hours.
"""
