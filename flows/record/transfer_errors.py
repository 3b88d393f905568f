"""What a transfer to or from an S3 store raises."""


def unreachable() -> type[Exception]:
    """Import and return the error that an S3 client raises if its store does not answer."""
    from botocore.exceptions import BotoCoreError

    error: type[Exception] = BotoCoreError
    return error
