"""Every finding, tripped by the fault it is for.

test_alone.py    each code by itself, exactly: a simulated world through the real run and the real study
test_real.py     the same faults for real: the truth server in its own process, real locust, real /proc
test_every_code.py   no code of the source is without a fault
"""
