"""What is wrong, or will go wrong, with a model, an index, a corpus or this machine: findings in plain words.

check_up       looks at all that is named and gives a Report; nothing that is broken stops it
Finding        one thing that was looked at: a level, what was found, what it means, what to type next
"""

from searchapp.doctor.checkup import Wanted, check_up
from searchapp.doctor.finding import LEVELS, Finding, Level, Report

__all__ = ["LEVELS", "Finding", "Level", "Report", "Wanted", "check_up"]
