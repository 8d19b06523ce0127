"""Networks of Keras made into models' folders; TensorFlow runs in a process of its own."""
