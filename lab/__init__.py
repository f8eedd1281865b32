"""The roof: what people do with the whole system. Stories, explanations, and the command line."""
