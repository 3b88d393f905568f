"""The errors that SlimDerm raises on purpose.

::

    SlimDermError
    ├── ParameterError     a parameter is unknown, out of range or contradicts another
    ├── SchemaError        a table lacks a column or holds a value nobody can map
    ├── ImageError         bytes do not decode to an image, or an array is not one
    ├── LeakError          a lesion or a byte-identical image stands on two sides of a split
    ├── DownloadError      a download is incomplete, unsafe or fails its checksum
    ├── RecordError        the record (MLflow, DVC, a table of hashes) lacks or belies something
    │   └── IncomparableError  a registered version cannot be judged on the data that lie here
    ├── TransferError      a data version did not get to its remote, or not back from it
    └── WorkerError        a process of a pool ended without an answer

A message says what was received, what was expected and, where it is not plain, what to do.
"""


class SlimDermError(Exception):
    """Base of every error that SlimDerm raises on purpose."""


class ParameterError(SlimDermError, ValueError):
    """A parameter is unknown, out of its range, or contradicts another."""


class SchemaError(SlimDermError, ValueError):
    """A table lacks a column or holds a value that nobody can map."""


class ImageError(SlimDermError, ValueError):
    """Bytes do not decode to an image, or an array is not the image expected."""


class LeakError(SlimDermError):
    """A lesion or a byte-identical image stands on two sides of a split."""


class DownloadError(SlimDermError):
    """A download is incomplete, unsafe to unpack, or fails its checksum."""


class RecordError(SlimDermError):
    """The record (MLflow, DVC, a table of hashes) lacks what was asked of it, or belies it."""


class IncomparableError(RecordError):
    """A registered version cannot be judged on the data that lie here."""


class TransferError(SlimDermError):
    """A data version did not get to its remote, or not back from it; worth another try."""


class WorkerError(SlimDermError):
    """A process of a pool ended without an answer: killed, or refused memory."""
