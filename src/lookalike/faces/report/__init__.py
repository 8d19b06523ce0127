"""A report as one file that can be sent to anyone: its blocks, their page, their plots."""
