"""What pages show, as plain values: messages of the platform in, values for templates out. Pure, without any call."""
