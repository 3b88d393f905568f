"""What a transfer to or from an S3 store raises."""


def unreachable() -> type[Exception]:
    """Return the error of an S3 client whose store does not answer, imported when it is needed."""
    from botocore.exceptions import BotoCoreError

    error: type[Exception] = BotoCoreError
    return error
