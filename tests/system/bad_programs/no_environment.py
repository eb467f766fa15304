"""Forgets the environment."""


def main(n: int) -> int:
    return n
