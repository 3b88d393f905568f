"""When, where and with what record: the wiring around `components`."""

import shutil
import sys

# A disk that fills up leaves bytecode cut short, which Python 3.11 then fails to read for ever.
if shutil.disk_usage(__path__[0]).free < 64 * 2**20:
    sys.dont_write_bytecode = True
