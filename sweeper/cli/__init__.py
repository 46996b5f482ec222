"""The face: parse, wire, print, exit. The only place that prints or exits."""
