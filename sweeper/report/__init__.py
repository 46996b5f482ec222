"""Reading a study: tables, sentences and the formats a recommendation is pasted in."""
