"""When, where and with what record: the wiring around `components`."""
