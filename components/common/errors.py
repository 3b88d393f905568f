"""The errors that SlimDerm raises on purpose.

::

    SlimDermError
    ├── ParameterError     a parameter is unknown, out of range or contradicts another
    ├── SchemaError        a table lacks a column or holds a value that is not known
    ├── ImageError         bytes do not decode to an image, or an array is not one
    ├── LeakError          a lesion or a byte-identical image stands on two sides of a split
    ├── DownloadError      a download is incomplete, unsafe or fails its checksum
    ├── RecordError        the record (MLflow, DVC, hashes) misses an entry or disagrees with files
    │   └── IncomparableError  a registered version cannot be judged on the data of this clone
    ├── TransferError      a data version could not be sent to its remote or fetched from it
    ├── SlimFileError      bytes are no `.slim` file, are damaged, or ask for too much memory
    ├── ExportError        a network cannot be converted, or its runtime does not run what came out
    └── WorkerError        a process of a pool ended without an answer

A message says what was received, what was expected and, where it is not plain, what to do.
"""


class SlimDermError(Exception):
    """Base of every error that SlimDerm raises on purpose."""


class ParameterError(SlimDermError, ValueError):
    """A parameter is unknown, out of its range, or contradicts another."""


class SchemaError(SlimDermError, ValueError):
    """A table lacks a column or holds a value that is not known."""


class ImageError(SlimDermError, ValueError):
    """Bytes do not decode to an image, or an array is not the image expected."""


class LeakError(SlimDermError):
    """A lesion or a byte-identical image stands on two sides of a split."""


class DownloadError(SlimDermError):
    """A download is incomplete, unsafe to unpack, or fails its checksum."""


class RecordError(SlimDermError):
    """MLflow, DVC or a table of hashes misses an entry, or disagrees with the files."""


class IncomparableError(RecordError):
    """A registered version cannot be judged on the data of this clone."""


class TransferError(SlimDermError):
    """A data version could not be sent to its remote or fetched from it; another try may help."""


class SlimFileError(SlimDermError, ValueError):
    """Bytes are no `.slim` file, are damaged or of a later version, or ask for too much memory."""


class ExportError(SlimDermError):
    """A network cannot be converted, or the runtime does not run the file that came out."""


class WorkerError(SlimDermError):
    """A process of a pool ended without an answer: killed, or refused memory."""
