"""The steps of `tools/build_models.py`: sources → network → graphs → calibration → the files that ship."""
