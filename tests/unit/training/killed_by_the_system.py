"""A training as the system ends one when memory runs out."""

import os
import signal

os.kill(os.getpid(), signal.SIGKILL)
