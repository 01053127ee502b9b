"""The words everyone speaks: values without behaviour of their own, checked once at the edge and trusted inside."""
