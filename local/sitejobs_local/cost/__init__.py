"""What runs cost on AWS: list prices (`prices`), rates measured at home (`rates`), and the estimate made of both."""
