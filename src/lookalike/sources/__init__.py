"""Where items come from: folders, files and lists, walked without trusting what lies there."""
