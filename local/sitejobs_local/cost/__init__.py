"""What runs cost on AWS: list prices, rates measured on a machine at home, and the sum of both."""
