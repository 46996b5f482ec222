"""Servers whose right answer is known beforehand, to judge the measurement by."""
