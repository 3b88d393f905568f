"""The loops over pixels that take the time, compiled by numba; they count in integers.

Compiled on first use and kept in ``__pycache__``, so that only the first process of an installation
waits for the compiler. The process that compiles them may round SSIM otherwise than those that find
them compiled: by 5e-9 of its value, as single precision goes. `slimderm.components.quality.metrics`
says what each is for; nothing here checks its input.
"""
