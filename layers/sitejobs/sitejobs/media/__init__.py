"""What an uploaded file is: read by ranges, parsed in a child process, judged by rules, stored beside its record."""
