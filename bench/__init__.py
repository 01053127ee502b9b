"""The benchmark: what the service does with a load, beside what the parts that it is made of would do alone."""
