"""Readers of the formats that Holdpoint exports, as strict as the formats are. Used by tests/siem and the end-to-end tests."""
