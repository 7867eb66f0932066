"""What Hepar's services share; knows no service."""

__version__ = "0.1.0"
