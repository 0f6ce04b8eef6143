"""compatibility: how well a viewer and each user it has to do with suit each other (docs/compatibility.md)."""
