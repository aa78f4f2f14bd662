"""The command line.

Imports make a hundred thousand objects that stay; to look through them for garbage again and again
would be a tenth of each start. So it is looked for less often from here on, before they are made;
of the tuples that a run makes for each file none is part of a cycle, either.
"""

import gc

gc.set_threshold(50_000, 20, 50)
