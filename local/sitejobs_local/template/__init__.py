"""template.yaml as the machine at home reads it."""
