"""How long hostile input may take at most, in seconds of processor time.

It takes a tenth of this on an idle machine.  What is quadratic in 300 kB takes minutes, so a busy or a slow machine
cannot fail a test that nothing is wrong with.
"""

QUICK = 5.0
