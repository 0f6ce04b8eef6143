"""template.yaml as the machine at home reads it: CloudFormation's language, and the resources that exist here."""
