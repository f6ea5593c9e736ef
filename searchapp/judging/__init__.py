"""What `bench` and `train` measure with: texts embedded once, judged at every dim, told as model cards tell it."""
