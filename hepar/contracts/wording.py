"""Texts for people that services, demo and command line share."""

HIGHEST, LOWEST = 0.99, 0.01
"""Probabilities beyond these are not told apart: no rounding may state certainty."""


def probability_text(value: float) -> str:
    """With two decimals; > 0.99 and < 0.01 beyond these. value: 0 to 1."""
    if value > HIGHEST:
        return f"> {HIGHEST}"
    return f"< {LOWEST}" if value < LOWEST else f"{value:.2f}"
